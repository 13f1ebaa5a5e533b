// aclnnMixedQuantSparseFlashMla and its metadata operator: sparse attention on rows of FP8 lanes, BF16 rotary lanes and
// scales, as aclnnKvCompressEpilog writes them.
#include "checks.h"
#include "rows.h"
#include "transformer_smla.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnMixedQuantSparseFlashMla";
constexpr const char* kPlanDoc = "ops-transformer docs aclnnMixedQuantSparseFlashMlaMetadata";
constexpr int64_t kRope = 64;
constexpr int64_t kNope = smla::kHeadDim - kRope;
constexpr int64_t kGroup = 64;

/** Byte offsets inside a row of one quantisation mode. */
struct RowForm {
    int64_t nope, rope, scales, bytes;
    aclDataType scale_dtype;
};

RowForm row_form(int64_t mode) {
    return mode == 1 ? RowForm{2 * kRope, 0, 2 * kRope + kNope, 608, ACL_BF16}
                     : RowForm{0, kNope, 2 * kRope + kNope, 584, ACL_FLOAT8_E8M0};
}

void check_modes(Call& call, const char* cite) {
    call.require(is950(call), kNoKernel, "only on Ascend 950", cite);
    expect_one_of(call, "quantMode", call.integer("quantMode"), {1, 2}, kInvalid, cite);
    expect_one_of(call, "ropeHeadDim", call.integer("ropeHeadDim"), {kRope}, kInvalid, cite);
    call.require(call.integer("quantMode") == 1 || call.text("layoutKvOptional") == "PA_BBND", kInvalid,
                 "quantMode 2: only with PA_BBND", cite);
}

void rule(Call& call) {
    check_modes(call, kDoc);
    call.need("q");
    for (const char* name : {"oriKvOptional", "cmpKvOptional"}) {
        if (present(call, name) != nullptr) {
            call.dtypes(name, {ACL_UINT8, ACL_FLOAT8_E4M3FN}, kDoc);
            expect_contiguous(call, name, kDoc);
        }
    }
    smla::check_main(call, row_form(call.integer("quantMode")).bytes, kDoc);
    call.workspace(32 << 20);
}

void run(Run& run) {
    const RowForm form = row_form(run.integer("quantMode"));
    const smla::DecodeRow decode = [form](const void* base, int64_t element, float* lanes) {
        const auto* row = static_cast<const uint8_t*>(base) + element;
        float scales[kNope / kGroup];
        decode_row(row + form.scales, form.scale_dtype, 0, 1, kNope / kGroup, scales);
        decode_row(row + form.nope, ACL_FLOAT8_E4M3FN, 0, 1, kNope, lanes);
        decode_row(row + form.rope, ACL_BF16, 0, 1, kRope, lanes + kNope);
        for (int64_t i = 0; i < kNope; i++) {
            lanes[i] *= scales[i / kGroup];
        }
    };
    smla::attend(run, smla::needed(run, true), decode, decode, kDoc);
}

void plan_rule(Call& call) {
    check_modes(call, kPlanDoc);
    smla::check_metadata(call, kPlanDoc);
}

void plan_run(Run& run) {
    run.store(*run.tensor("metaData"), encode(run, smla::announced(run, true)));
}

EMU_OP(mixed_smla, .name = "aclnnMixedQuantSparseFlashMla", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"attnOutOut", "softmaxLseOutOptional"});
EMU_OP(mixed_smla_metadata, .name = "aclnnMixedQuantSparseFlashMlaMetadata", .cite = kPlanDoc, .rule = plan_rule,
       .run = plan_run, .writes = {"metaData"});

}  // namespace

}  // namespace emu

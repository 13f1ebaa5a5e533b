// aclnnSparseFlashMla and its metadata operator: sparse attention on a BF16 or FP16 latent cache.
#include "checks.h"
#include "rows.h"
#include "transformer_smla.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnSparseFlashMla";
constexpr const char* kPlanDoc = "ops-transformer docs aclnnSparseFlashMlaMetadata";

void rule(Call& call) {
    const Tensor& q = call.need("q");
    for (const char* name : {"oriKvOptional", "cmpKvOptional"}) {
        if (present(call, name) != nullptr) {
            call.dtypes(name, {q.dtype}, kDoc);
        }
    }
    smla::check_main(call, smla::kHeadDim, kDoc);
    call.workspace(32 << 20);
}

smla::DecodeRow plain_rows(const Tensor* kv) {
    if (kv == nullptr) {
        return {};
    }
    return [dtype = kv->dtype, stride = kv->strides.back()](const void* base, int64_t element, float* lanes) {
        decode_row(base, dtype, element, stride, smla::kHeadDim, lanes);
    };
}

void run(Run& run) {
    smla::attend(run, smla::needed(run, false), plain_rows(present(run, "oriKvOptional")),
                 plain_rows(present(run, "cmpKvOptional")), kDoc);
}

void plan_rule(Call& call) {
    smla::check_metadata(call, kPlanDoc);
}

void plan_run(Run& run) {
    run.store(*run.tensor("metaData"), encode(run, smla::announced(run, false)));
}

EMU_OP(sparse_flash_mla, .name = "aclnnSparseFlashMla", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"attnOutOut", "softmaxLseOutOptional"});
EMU_OP(sparse_flash_mla_metadata, .name = "aclnnSparseFlashMlaMetadata", .cite = kPlanDoc, .rule = plan_rule,
       .run = plan_run, .writes = {"metaData"});

}  // namespace

}  // namespace emu

// aclnnQuantLightningIndexerV2 and its metadata operator: quantised queries and keys, compressed positions.
#include <algorithm>
#include <bit>
#include <limits>

#include "checks.h"
#include "plan.h"
#include "rows.h"
#include "sequences.h"
#include "transformer_indexer.h"

namespace emu {

namespace {

using indexer::kHeadDim;

constexpr const char* kDoc = "ops-transformer docs aclnnQuantLightningIndexerV2";
constexpr const char* kPlanDoc = "ops-transformer docs aclnnQuantLightningIndexerV2Metadata";
constexpr const char* kPaged = "PA_BBND";  // tiling source and op example; one revision of the document says PA_BSND
constexpr int64_t kMxBlock = 32;

enum QuantMode : int64_t { kFp8 = 1, kInt8 = 2, kMxFp8 = 3, kHiFloat8 = 4, kMxFp4 = 5 };

bool mx(int64_t mode) {
    return mode == kMxFp8 || mode == kMxFp4;
}

struct Dtypes {
    aclDataType value, scale, weight;
};

Dtypes dtypes_of(int64_t mode) {
    switch (mode) {
        case kFp8: return {ACL_FLOAT8_E4M3FN, ACL_FLOAT, ACL_FLOAT};
        case kInt8: return {ACL_INT8, ACL_FLOAT16, ACL_FLOAT16};
        case kMxFp8: return {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E8M0, ACL_FLOAT};
        case kMxFp4: return {ACL_FLOAT4_E2M1, ACL_FLOAT8_E8M0, ACL_FLOAT};
        default: return {ACL_HIFLOAT8, ACL_FLOAT, ACL_FLOAT};
    }
}

void check_mode(Call& call, int64_t mode, int64_t topk, int64_t ratio, int64_t mask, const char* cite) {
    if (is950(call)) {
        expect_one_of(call, "quantMode", mode, {1, 2, 3, 4, 5}, kInvalid, cite);
        expect_range(call, "topk", topk, 1, 8192, kInvalid, cite);
    } else {
        expect_one_of(call, "quantMode on A2 and A3", mode, {kInt8}, kInvalid, cite);
        expect_range(call, "topk on A2 and A3", topk, 1, 2048, kInvalid, cite);
        call.require(ratio > 0 && std::has_single_bit(static_cast<uint64_t>(ratio)), kInvalid,
                     "cmpRatio: A2 and A3 need a power of two: found " + std::to_string(ratio), cite);
    }
    if (mode == kHiFloat8) {
        call.refuse(kNoKernel, "EMULATOR: HiFloat8 is not emulated", cite);
    }
    expect_range(call, "cmpRatio", ratio, 1, 128, kInvalid, cite);
    expect_one_of(call, "maskMode", mask, {0, 3}, kInvalid, cite);
}

void check_layouts(Call& call, const std::string& q, const std::string& k, const char* cite) {
    call.require(q == "TND" || q == "BSND", kInvalid, "layoutQ: found \"" + q + "\"", cite);
    call.require(k == kPaged || (is950(call) && k == q), kInvalid,
                 "layoutK: found \"" + k + "\", expected PA_BBND or, on 950, that of q", cite);
}

/** Extents of a key-side tensor whose last axes are `last`; the leading axes come from the layout. */
std::vector<int64_t> key_dims(const std::string& layout, int64_t batches, std::initializer_list<int64_t> last) {
    std::vector<int64_t> dims = layout == "TND" ? std::vector<int64_t>{-1}
                                                : std::vector<int64_t>{layout == "BSND" ? batches : -1, -1};
    dims.push_back(1);
    dims.insert(dims.end(), last);
    return dims;
}

void check_tensors(Call& call, int64_t mode, int64_t batches) {
    const Tensor& query = *call.tensor("query");
    const Tensor& key = *call.tensor("key");
    const Dtypes dtypes = dtypes_of(mode);
    const std::string layout = call.text("layoutKOptional");
    call.dtypes("query", {dtypes.value}, kDoc);
    call.dtypes("key", {dtypes.value}, kDoc);
    call.dtypes("weights", {dtypes.weight}, kDoc);
    call.dtypes("queryDequantScale", {dtypes.scale}, kDoc);
    call.dtypes("keyDequantScale", {dtypes.scale}, kDoc);
    std::vector<int64_t> rows(query.dims.begin(), query.dims.end() - 1);
    expect_dims(call, "weights", *call.tensor("weights"), rows, kDoc);
    expect_dims(call, "key", key, key_dims(layout, batches, {kHeadDim}), kDoc);
    if (mx(mode)) {
        rows.push_back(kHeadDim / 64);
        rows.push_back(2);
        expect_dims(call, "keyDequantScale", *call.tensor("keyDequantScale"),
                    key_dims(layout, batches, {kHeadDim / 64, 2}), kDoc);
    } else {
        expect_dims(call, "keyDequantScale", *call.tensor("keyDequantScale"), key_dims(layout, batches, {}), kDoc);
    }
    expect_dims(call, "queryDequantScale", *call.tensor("queryDequantScale"), rows, kDoc);
    for (const char* name : {"query", "weights", "queryDequantScale"}) {
        expect_contiguous(call, name, kDoc);
    }
    for (const char* name : {"key", "keyDequantScale"}) {
        call.require(contiguous_after_first(*call.tensor(name)), kInvalid,
                     std::string(name) + ": only the first axis may have gaps", kDoc);
    }
    if (layout == kPaged) {
        call.require(key.dim(1) % 16 == 0 && key.dim(1) <= 1024, kInvalid, "block size: a multiple of 16 up to 1024",
                     kDoc);
        call.require(present(call, "blockTableOptional") != nullptr && present(call, "sequsedKOptional") != nullptr,
                     kInvalid, "blockTable, sequsedK: required for PA_BBND", kDoc);
        expect_optional(call, "blockTableOptional", ACL_INT32, {batches, -1}, kDoc);
    } else if (layout == "TND") {
        call.require(present(call, "cuSeqLensKOptional") != nullptr, kInvalid, "cuSeqLensK: required for TND", kDoc);
    }
}

void rule(Call& call) {
    for (const char* name : {"query", "key", "weights", "queryDequantScale", "keyDequantScale", "sparseIndicesOut",
                             "sparseValuesOut"}) {
        call.need(name);
    }
    const Tensor& query = *call.tensor("query");
    const int64_t mode = call.integer("quantMode"), topk = call.integer("topk");
    const std::string layout = call.text("layoutQOptional");
    check_mode(call, mode, topk, call.integer("cmpRatioOptional"), call.integer("maskModeOptional"), kDoc);
    check_layouts(call, layout, call.text("layoutKOptional"), kDoc);
    const bool packed = layout == "TND";
    call.require(query.rank() == (packed ? 3 : 4) && query.dim(-1) == kHeadDim, kInvalid,
                 "query: head dimension 128: found " + dims_text(query.dims), kDoc);
    if (is950(call)) {
        expect_range(call, "query heads", query.dim(-2), 1, 64, kInvalid, kDoc);
    } else {
        expect_one_of(call, "query heads on A2 and A3", query.dim(-2), {64}, kInvalid, kDoc);
    }
    const Tensor* prefix = present(call, "cuSeqLensQOptional");
    call.require(!packed || prefix != nullptr, kInvalid, "cuSeqLensQ: required for TND", kDoc);
    const int64_t batches = packed ? prefix->numel() - 1 : query.dim(0);
    check_tensors(call, mode, batches);
    expect_optional(call, "cuSeqLensQOptional", ACL_INT32, {batches + 1}, kDoc);
    expect_optional(call, "cuSeqLensKOptional", ACL_INT32, {batches + 1}, kDoc);
    for (const char* name : {"sequsedQOptional", "sequsedKOptional", "cmpResidualKOptional"}) {
        expect_optional(call, name, ACL_INT32, {batches}, kDoc);
    }
    call.require(present(call, "metadataOptional") != nullptr, kInvalid, "metadata: required", kDoc);
    expect_optional(call, "metadataOptional", ACL_INT32, {kMetadataWords}, kDoc);
    std::vector<int64_t> dims(query.dims.begin(), query.dims.end() - 2);
    dims.push_back(1);
    expect_optional(call, "outputIdxOffsetOptional", ACL_INT32, dims, kDoc);
    dims.push_back(topk);
    call.dtypes("sparseIndicesOut", {ACL_INT32}, kDoc);
    call.shape("sparseIndicesOut", dims, kDoc);
    call.dtypes("sparseValuesOut", {ACL_BF16}, kDoc);
    call.shape("sparseValuesOut", dims, kDoc);
    expect_one_of(call, "returnValue", call.integer("returnValueOptional"), {0, is950(call) ? 1 : 0}, kInvalid, kDoc);
}

Plan plan_of(const Run& run, int64_t batches, int64_t heads, const std::string& q, const std::string& k,
             int64_t mask, int64_t ratio) {
    Plan plan;
    plan.fields = {{"batchSize", batches},     {"numHeadsQ", heads},         {"topk", run.integer("topk")},
                   {"layoutQ", layout_code(q)}, {"layoutK", layout_code(k)}, {"maskMode", mask},
                   {"cmpRatio", ratio},        {"quantMode", run.integer("quantMode")}};
    return plan;
}

Plan needed(const Run& run) {
    const Tensor& query = *run.tensor("query");
    const Tensor* prefix = present(run, "cuSeqLensQOptional");
    const std::string layout = run.text("layoutQOptional");
    Plan plan = plan_of(run, layout == "TND" ? prefix->numel() - 1 : query.dim(0), query.dim(-2), layout,
                        run.text("layoutKOptional"), run.integer("maskModeOptional"), run.integer("cmpRatioOptional"));
    plan.lengths = hash_lengths(run, {"cuSeqLensQOptional", "cuSeqLensKOptional", "sequsedQOptional",
                                      "sequsedKOptional", "cmpResidualKOptional"});
    return plan;
}

/** The keys of a call: values, scales and which rows belong to a sequence. */
class Keys {
  public:
    Keys(Run& run, const Sequences& rows)
        : run_(run),
          key_(*run.tensor("key")),
          scale_(*run.tensor("keyDequantScale")),
          key_base_(run.raw(key_)),
          scale_base_(run.raw(scale_)),
          rows_(rows),
          mx_(mx(run.integer("quantMode"))) {}

    /** Decodes one key; MX scales are multiplied in, other scales are returned. */
    float decode(int64_t batch, int64_t token, float* out) {
        const int64_t row = rows_.row(run_, batch, token);
        decode_row(key_base_, key_.dtype, element(key_, row), 1, kHeadDim, out);
        float scales[kHeadDim / kMxBlock];
        const int64_t count = mx_ ? kHeadDim / kMxBlock : 1;
        decode_row(scale_base_, scale_.dtype, element(scale_, row), 1, count, scales);
        for (int64_t d = 0; mx_ && d < kHeadDim; d++) {
            out[d] *= scales[d / kMxBlock];
        }
        return mx_ ? 1.0F : scales[0];
    }

  private:
    /** Row number of the key tensor to an element of either tensor: their leading axes have the same extents. */
    int64_t element(const Tensor& tensor, int64_t row) const {
        if (key_.rank() == 3) {
            return row * tensor.strides[0];
        }
        return row / key_.dim(1) * tensor.strides[0] + row % key_.dim(1) * tensor.strides[1];
    }

    Run& run_;
    const Tensor& key_;
    const Tensor& scale_;
    const void* key_base_;
    const void* scale_base_;
    const Sequences& rows_;
    bool mx_;
};

Sequences key_sequences(Run& run) {
    const Tensor& key = *run.tensor("key");
    const Tensor* used = present(run, "sequsedKOptional");
    const std::string layout = run.text("layoutKOptional");
    if (layout == "TND") {
        return Sequences::packed(run, key, *present(run, "cuSeqLensKOptional"), used, kDoc);
    }
    return layout == "BSND" ? Sequences::dense(run, key, used, kDoc)
                            : Sequences::paged(run, key, *present(run, "blockTableOptional"), run.ints(*used), kDoc);
}

/** Query values with MX scales multiplied in. */
std::vector<float> query_values(Run& run, const std::vector<float>& scales) {
    std::vector<float> q = run.floats(*run.tensor("query"));
    for (size_t i = 0; mx(run.integer("quantMode")) && i < q.size(); i++) {
        q[i] *= scales[i / static_cast<size_t>(kMxBlock)];
    }
    return q;
}

void run(Run& run) {
    verify(run, needed(run), run.ints(*present(run, "metadataOptional")), kDoc);
    const Tensor& query = *run.tensor("query");
    const int64_t heads = query.dim(-2), topk = run.integer("topk"), ratio = run.integer("cmpRatioOptional");
    const Tensor* used = present(run, "sequsedQOptional");
    const Sequences queries = run.text("layoutQOptional") == "TND"
                                  ? Sequences::packed(run, query, *present(run, "cuSeqLensQOptional"), used, kDoc)
                                  : Sequences::dense(run, query, used, kDoc);
    const Sequences entries = key_sequences(run);
    Keys keys(run, entries);
    const std::vector<float> q_scale = run.floats(*run.tensor("queryDequantScale"));
    const std::vector<float> q = query_values(run, q_scale), w = run.floats(*run.tensor("weights"));
    const Tensor* residual_tensor = present(run, "cmpResidualKOptional");
    const Tensor* offset_tensor = present(run, "outputIdxOffsetOptional");
    const std::vector<int64_t> residual = residual_tensor ? run.ints(*residual_tensor) : std::vector<int64_t>{};
    const std::vector<int64_t> offset = offset_tensor ? run.ints(*offset_tensor) : std::vector<int64_t>{};
    const bool scaled = !mx(run.integer("quantMode"));
    std::vector<int64_t> indices(static_cast<size_t>(run.tensor("sparseIndicesOut")->numel()), -1);
    std::vector<float> values(indices.size(), -std::numeric_limits<float>::infinity());
    for (int64_t b = 0; b < queries.batches(); b++) {
        std::vector<float> rows(static_cast<size_t>(entries.length(b) * kHeadDim)), scales;
        for (int64_t t = 0; t < entries.length(b); t++) {
            scales.push_back(keys.decode(b, t, &rows[static_cast<size_t>(t * kHeadDim)]));
        }
        const int64_t rest = residual.empty() ? 0 : residual[static_cast<size_t>(b)];
        if (rest < 0 || rest >= ratio) {
            run.device_exception("cmpResidualK " + std::to_string(rest) + " outside 0.." + std::to_string(ratio - 1),
                                 kDoc);
        }
        for (int64_t i = 0; i < queries.length(b); i++) {
            const int64_t row = queries.row(run, b, i);
            const int64_t visible = run.integer("maskModeOptional") == 0
                                        ? entries.length(b)
                                        : indexer::causal_bound(entries.length(b), ratio, rest, queries.length(b), i);
            std::vector<float> scores;
            for (int64_t t = 0; t < visible; t++) {
                scores.push_back(indexer::score(&q[static_cast<size_t>(row * heads * kHeadDim)],
                                                &w[static_cast<size_t>(row * heads)],
                                                scaled ? &q_scale[static_cast<size_t>(row * heads)] : nullptr,
                                                scales[static_cast<size_t>(t)], &rows[static_cast<size_t>(t * kHeadDim)],
                                                heads));
            }
            const indexer::Selection chosen = indexer::select(run, scores, topk);
            for (int64_t k = 0; k < topk; k++) {
                const int64_t index = chosen.indices[static_cast<size_t>(k)];
                indices[static_cast<size_t>(row * topk + k)] =
                    index == -1 || offset.empty() ? index : index + offset[static_cast<size_t>(row)];
                values[static_cast<size_t>(row * topk + k)] = chosen.values[static_cast<size_t>(k)];
            }
        }
    }
    run.store(*run.tensor("sparseIndicesOut"), indices);
    if (run.integer("returnValueOptional") == 0) {  // the document: otherwise negative infinity
        std::fill(values.begin(), values.end(), -std::numeric_limits<float>::infinity());
    }
    run.store(*run.tensor("sparseValuesOut"), values);
}

void plan_rule(Call& call) {
    const std::string q = call.text("layoutQOptional");
    check_mode(call, call.integer("quantMode"), call.integer("topk"), call.integer("cmpRatio"),
               call.integer("maskMode"), kPlanDoc);
    check_layouts(call, q, call.text("layoutKOptional"), kPlanDoc);
    expect_range(call, "numHeadsQ", call.integer("numHeadsQ"), 1, 64, kInvalid, kPlanDoc);
    expect_one_of(call, "numHeadsK", call.integer("numHeadsK"), {1}, kInvalid, kPlanDoc);
    expect_one_of(call, "headDim", call.integer("headDim"), {kHeadDim}, kInvalid, kPlanDoc);
    call.require(q != "TND" || present(call, "cuSeqlensQOptional") != nullptr, kInvalid,
                 "cuSeqlensQ: required for TND", kPlanDoc);
    call.need("metadata");
    call.dtypes("metadata", {ACL_INT32}, kPlanDoc);
    call.shape("metadata", {kMetadataWords}, kPlanDoc);
}

void plan_run(Run& run) {
    const Tensor* prefix = present(run, "cuSeqlensQOptional");
    const std::string layout = run.text("layoutQOptional");
    Plan plan = plan_of(run, layout == "TND" ? prefix->numel() - 1 : run.integer("batchSize"), run.integer("numHeadsQ"),
                        layout, run.text("layoutKOptional"), run.integer("maskMode"), run.integer("cmpRatio"));
    plan.lengths = hash_lengths(run, {"cuSeqlensQOptional", "cuSeqlensKOptional", "sequsedQOptional",
                                      "sequsedKOptional", "cmpResidualKOptional"});
    run.store(*run.tensor("metadata"), encode(run, plan));
}

EMU_OP(quant_indexer, .name = "aclnnQuantLightningIndexerV2", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"sparseIndicesOut", "sparseValuesOut"});
EMU_OP(quant_indexer_metadata, .name = "aclnnQuantLightningIndexerV2Metadata", .cite = kPlanDoc, .rule = plan_rule,
       .run = plan_run, .writes = {"metadata"});

}  // namespace

}  // namespace emu

// aclnnLightningIndexerV2: BF16 and FP16 queries and keys, compressed positions; A2 and A3 only.
#include <limits>

#include "checks.h"
#include "rows.h"
#include "sequences.h"
#include "transformer_indexer.h"

namespace emu {

namespace {

using indexer::kHeadDim;

constexpr const char* kDoc = "ops-transformer docs aclnnLightningIndexerV2";
constexpr const char* kPaged = "PA_BBND";

void check_unused(Call& call) {
    for (const char* name : {"sequsedQOptional", "outputIdxOffsetOptional", "metadataOptional"}) {
        call.require(present(call, name) == nullptr, kInvalid, std::string(name) + ": refused on A2 and A3", kDoc);
    }
    call.require(call.integer("maxSeqlenQ") == -1, kInvalid, "maxSeqlenQ: must be -1 on A2 and A3", kDoc);
}

void check_topk(Call& call, int64_t topk) {
    const bool coarse = topk % 1024 == 0 && topk >= 3072 && topk <= 8192;
    call.require((topk >= 1 && topk <= 2048) || coarse, kInvalid,
                 "topk: 1..2048 or 3072, 4096 .. 8192: found " + std::to_string(topk), kDoc);
}

void check_key(Call& call, const std::string& layout, int64_t batches) {
    const Tensor& key = *call.tensor("k");
    const bool paged = layout == kPaged;
    call.require((present(call, "blockTableOptional") != nullptr) == paged, kInvalid,
                 "blockTable: for PA_BBND and only for it", kDoc);
    call.require((present(call, "sequsedKOptional") != nullptr) == paged, kInvalid,
                 "sequsedK: for PA_BBND and only for it", kDoc);
    if (paged) {
        expect_dims(call, "k", key, {-1, -1, 1, kHeadDim}, kDoc);
        call.require(key.dim(1) % 16 == 0 && key.dim(1) <= 1024, kInvalid, "block size: a multiple of 16 up to 1024",
                     kDoc);
        call.require(contiguous_after_first(key), kInvalid, "k: only the first axis may have gaps", kDoc);
        expect_optional(call, "blockTableOptional", ACL_INT32, {batches, -1}, kDoc);
        return;
    }
    expect_contiguous(call, "k", kDoc);
    if (layout == "TND") {
        expect_dims(call, "k", key, {-1, 1, kHeadDim}, kDoc);
        call.require(present(call, "cuSeqlensKOptional") != nullptr, kInvalid, "cuSeqlensK: required for TND", kDoc);
    } else {
        expect_dims(call, "k", key, {batches, -1, 1, kHeadDim}, kDoc);
    }
}

void rule(Call& call) {
    call.require(!is950(call), kNoKernel, "Ascend 950 is not supported", kDoc);
    for (const char* name : {"q", "k", "w", "sparseIndicesOut", "sparseValuesOut"}) {
        call.need(name);
    }
    const Tensor& query = *call.tensor("q");
    call.dtypes("q", {ACL_BF16, ACL_FLOAT16}, kDoc);
    call.dtypes("k", {query.dtype}, kDoc);
    call.dtypes("w", {ACL_FLOAT}, kDoc);
    const std::string layout_q = call.text("layoutQOptional"), layout_k = call.text("layoutKOptional");
    call.require(layout_q == "TND" || layout_q == "BSND", kInvalid, "layoutQ: found \"" + layout_q + "\"", kDoc);
    call.require(layout_k == kPaged || layout_k == layout_q, kInvalid, "layoutK: found \"" + layout_k + "\"", kDoc);
    const bool packed = layout_q == "TND";
    call.require(query.rank() == (packed ? 3 : 4) && query.dim(-1) == kHeadDim && query.numel() > 0, kInvalid,
                 "q: head dimension 128, not empty: found " + dims_text(query.dims), kDoc);
    expect_range(call, "heads of q", query.dim(-2), 1, 64, kInvalid, kDoc);
    const Tensor* prefix = present(call, "cuSeqlensQOptional");
    call.require(!packed || prefix != nullptr, kInvalid, "cuSeqlensQ: required for TND", kDoc);
    const int64_t batches = packed ? prefix->numel() - 1 : query.dim(0);
    check_key(call, layout_k, batches);
    check_unused(call);
    check_topk(call, call.integer("topk"));
    expect_one_of(call, "maskMode", call.integer("maskMode"), {0, 3}, kInvalid, kDoc);
    expect_one_of(call, "cmpRatio", call.integer("cmpRatio"), {1, 4, 128}, kInvalid, kDoc);
    expect_one_of(call, "returnValue", call.integer("returnValue"), {0, 1}, kInvalid, kDoc);
    expect_optional(call, "cuSeqlensQOptional", ACL_INT32, {batches + 1}, kDoc);
    expect_optional(call, "cuSeqlensKOptional", ACL_INT32, {batches + 1}, kDoc);
    expect_optional(call, "sequsedKOptional", ACL_INT32, {batches}, kDoc);
    expect_optional(call, "cmpResidualKOptional", ACL_INT32, {batches}, kDoc);
    for (const char* name : {"q", "w"}) {
        expect_contiguous(call, name, kDoc);
    }
    std::vector<int64_t> dims(query.dims.begin(), query.dims.end() - 1);
    expect_dims(call, "w", *call.tensor("w"), dims, kDoc);
    dims.back() = 1;
    dims.push_back(call.integer("topk"));
    call.dtypes("sparseIndicesOut", {ACL_INT32}, kDoc);
    call.shape("sparseIndicesOut", dims, kDoc);
    call.dtypes("sparseValuesOut", {ACL_FLOAT}, kDoc);
    if (call.integer("returnValue") == 1) {
        call.shape("sparseValuesOut", dims, kDoc);
    }
}

Sequences keys_of(Run& run) {
    const Tensor& key = *run.tensor("k");
    const std::string layout = run.text("layoutKOptional");
    if (layout == "TND") {
        return Sequences::packed(run, key, *present(run, "cuSeqlensKOptional"), nullptr, kDoc);
    }
    return layout == "BSND" ? Sequences::dense(run, key, nullptr, kDoc)
                            : Sequences::paged(run, key, *present(run, "blockTableOptional"),
                                               run.ints(*present(run, "sequsedKOptional")), kDoc);
}

/** Decoded keys of one sequence. */
std::vector<float> decoded(Run& run, const Sequences& entries, int64_t batch) {
    const Tensor& key = *run.tensor("k");
    std::vector<float> rows(static_cast<size_t>(entries.length(batch) * kHeadDim));
    const void* base = run.raw(key);
    for (int64_t t = 0; t < entries.length(batch); t++) {
        decode_row(base, key.dtype, entries.element(entries.row(run, batch, t)), 1, kHeadDim,
                   &rows[static_cast<size_t>(t * kHeadDim)]);
    }
    return rows;
}

void run(Run& run) {
    const Tensor& query = *run.tensor("q");
    const int64_t heads = query.dim(-2), topk = run.integer("topk"), ratio = run.integer("cmpRatio");
    const Sequences queries = run.text("layoutQOptional") == "TND"
                                  ? Sequences::packed(run, query, *present(run, "cuSeqlensQOptional"), nullptr, kDoc)
                                  : Sequences::dense(run, query, nullptr, kDoc);
    const Sequences entries = keys_of(run);
    const std::vector<float> q = run.floats(query), w = run.floats(*run.tensor("w"));
    const Tensor* residual_tensor = present(run, "cmpResidualKOptional");
    const std::vector<int64_t> residual = residual_tensor ? run.ints(*residual_tensor) : std::vector<int64_t>{};
    std::vector<int64_t> indices(static_cast<size_t>(run.tensor("sparseIndicesOut")->numel()), -1);
    std::vector<float> values(indices.size(), -std::numeric_limits<float>::infinity());
    for (int64_t b = 0; b < queries.batches(); b++) {
        const std::vector<float> rows = decoded(run, entries, b);
        const int64_t rest = residual.empty() ? 0 : residual[static_cast<size_t>(b)];
        if (rest < 0 || rest >= ratio) {
            run.device_exception("cmpResidualK " + std::to_string(rest) + " outside 0.." + std::to_string(ratio - 1),
                                 kDoc);
        }
        for (int64_t i = 0; i < queries.length(b); i++) {
            const int64_t row = queries.row(run, b, i);
            const int64_t visible = run.integer("maskMode") == 0
                                        ? entries.length(b)
                                        : indexer::causal_bound(entries.length(b), ratio, rest, queries.length(b), i);
            std::vector<float> scores;
            for (int64_t t = 0; t < visible; t++) {
                scores.push_back(indexer::score(&q[static_cast<size_t>(row * heads * kHeadDim)],
                                                &w[static_cast<size_t>(row * heads)], nullptr, 1,
                                                &rows[static_cast<size_t>(t * kHeadDim)], heads));
            }
            const indexer::Selection chosen = indexer::select(run, scores, topk);
            std::copy(chosen.indices.begin(), chosen.indices.end(), indices.begin() + row * topk);
            std::copy(chosen.values.begin(), chosen.values.end(), values.begin() + row * topk);
        }
    }
    run.store(*run.tensor("sparseIndicesOut"), indices);
    if (run.integer("returnValue") == 1) {
        run.store(*run.tensor("sparseValuesOut"), values);
    }
}

EMU_OP(lightning_indexer_v2, .name = "aclnnLightningIndexerV2", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"sparseIndicesOut", "sparseValuesOut"});

}  // namespace

}  // namespace emu

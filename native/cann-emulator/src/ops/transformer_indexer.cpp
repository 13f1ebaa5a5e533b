// aclnnLightningIndexer: the BF16 and FP16 form.
#include "transformer_indexer.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "blocked.h"
#include "checks.h"
#include "rows.h"
#include "sequences.h"

namespace emu {

namespace indexer {

Selection select(Run& run, const std::vector<float>& scores, int64_t count) {
    std::vector<int64_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), run.random());
    const auto kept = static_cast<std::ptrdiff_t>(std::min<int64_t>(count, static_cast<int64_t>(order.size())));
    std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](int64_t a, int64_t b) {
        return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
    });
    std::shuffle(order.begin(), order.begin() + kept, run.random());
    Selection s;
    s.indices.assign(static_cast<size_t>(count), -1);
    s.values.assign(static_cast<size_t>(count), -std::numeric_limits<float>::infinity());
    for (std::ptrdiff_t i = 0; i < kept; i++) {
        s.indices[static_cast<size_t>(i)] = order[static_cast<size_t>(i)];
        s.values[static_cast<size_t>(i)] = scores[static_cast<size_t>(order[static_cast<size_t>(i)])];
    }
    return s;
}

float score(const float* query, const float* weights, const float* head_scale, float key_scale, const float* key,
            int64_t heads) {
    float sum = 0;
    for (int64_t h = 0; h < heads; h++) {
        float d = dot(query + h * kHeadDim, key, kHeadDim);
        if (head_scale != nullptr) {
            d *= head_scale[h] * key_scale;
        }
        sum += std::max(d, 0.0F) * weights[h];
    }
    return sum;
}

int64_t causal_bound(int64_t keys, int64_t ratio, int64_t residual, int64_t queries, int64_t i) {
    const int64_t position = keys * ratio + residual - queries + i + 1;
    return position <= 0 ? 0 : std::min(position / ratio, keys);
}

}  // namespace indexer

namespace {

using indexer::kHeadDim;

constexpr const char* kDoc = "ops-transformer docs aclnnLightningIndexer";

void check_count(Call& call, int64_t count) {
    const bool coarse = count % 1024 == 0 && count >= 3072 && count <= 8192;
    call.require((count >= 1 && count <= 2048) || coarse, kInvalid,
                 "sparseCount: 1..2048 or 3072, 4096 .. 8192: found " + std::to_string(count), kDoc);
}

void check_key(Call& call, const Tensor& key, const std::string& layout, int64_t batches) {
    if (layout == "TND") {
        expect_dims(call, "key", key, {-1, 1, kHeadDim}, kDoc);
        return;
    }
    expect_dims(call, "key", key, {layout == "BSND" ? batches : -1, -1, 1, kHeadDim}, kDoc);
    if (layout == "PA_BSND") {
        call.require(key.dim(1) % 16 == 0 && key.dim(1) <= 1024, kInvalid, "block size: a multiple of 16 up to 1024",
                     kDoc);
        const Tensor* table = present(call, "blockTableOptional");
        call.require(table != nullptr, kInvalid, "blockTable: required for PA_BSND", kDoc);
        expect_optional(call, "blockTableOptional", ACL_INT32, {batches, -1}, kDoc);
    }
}

void rule(Call& call) {
    const Tensor& query = call.need("query");
    const Tensor& key = call.need("key");
    const Tensor& weights = call.need("weights");
    call.need("sparseIndicesOut");
    call.dtypes("query", {ACL_BF16, ACL_FLOAT16}, kDoc);
    call.dtypes("key", {query.dtype}, kDoc);
    call.dtypes("weights", {query.dtype, is950(call) ? query.dtype : ACL_FLOAT}, kDoc);
    const std::string layout_q = call.text("layoutQueryOptional"), layout_k = call.text("layoutKeyOptional");
    call.require(layout_q == "TND" || layout_q == "BSND", kInvalid, "layoutQuery: found \"" + layout_q + "\"", kDoc);
    call.require(layout_k == "PA_BSND" || layout_k == layout_q, kInvalid, "layoutKey: found \"" + layout_k + "\"", kDoc);
    const bool packed = layout_q == "TND";
    call.require(query.rank() == (packed ? 3 : 4) && query.dim(-1) == kHeadDim, kInvalid,
                 "query: head dimension 128: found " + dims_text(query.dims), kDoc);
    const int64_t heads = query.dim(-2);
    if (is950(call)) {
        expect_one_of(call, "query heads on 950", heads, {8, 16, 24, 32, 64}, kInvalid, kDoc);
        call.require(key.contiguous() || (layout_k == "PA_BSND" && contiguous_after_first(key)), kInvalid,
                     "key: non-contiguous", kDoc);
    } else {
        expect_range(call, "query heads", heads, 1, 64, kInvalid, kDoc);
        expect_contiguous(call, "key", kDoc);
    }
    expect_contiguous(call, "query", kDoc);
    std::vector<int64_t> leading(query.dims.begin(), query.dims.end() - 2);
    std::vector<int64_t> dims = leading;
    dims.push_back(heads);
    expect_dims(call, "weights", weights, dims, kDoc);
    const Tensor* lengths = present(call, "actualSeqLengthsQueryOptional");
    call.require(!packed || lengths != nullptr, kInvalid, "actualSeqLengthsQuery: required for TND", kDoc);
    const int64_t batches = packed ? lengths->numel() : query.dim(0);
    expect_optional(call, "actualSeqLengthsQueryOptional", ACL_INT32, {batches}, kDoc);
    expect_optional(call, "actualSeqLengthsKeyOptional", ACL_INT32, {batches}, kDoc);
    call.require(layout_k == "BSND" || present(call, "actualSeqLengthsKeyOptional") != nullptr, kInvalid,
                 "actualSeqLengthsKey: required for TND and PA_BSND", kDoc);
    check_key(call, key, layout_k, batches);
    check_count(call, call.integer("sparseCount"));
    expect_one_of(call, "sparseMode", call.integer("sparseMode"), {0, 3}, kInvalid, kDoc);
    dims = leading;
    dims.push_back(1);
    dims.push_back(call.integer("sparseCount"));
    call.dtypes("sparseIndicesOut", {ACL_INT32}, kDoc);
    call.shape("sparseIndicesOut", dims, kDoc);
    if (call.flag("returnValues")) {
        call.require(layout_k != "PA_BSND", kInvalid, "returnValues: not with PA_BSND", kDoc);
        call.need("sparseValuesOut");
        call.dtypes("sparseValuesOut", {query.dtype}, kDoc);
        call.shape("sparseValuesOut", dims, kDoc);
    }
}

/** The first generation's prefix sums have no leading zero: made into a plain list of sequences here. */
struct Rows {
    std::vector<int64_t> starts, lengths;
};

Rows rows_of(Run& run, const Tensor& tensor, bool packed, const Tensor* lengths) {
    Rows r;
    if (packed) {
        int64_t before = 0;
        for (int64_t end : run.ints(*lengths)) {
            if (end < before || end > tensor.dim(0)) {
                run.device_exception("prefix sum " + std::to_string(end) + " outside the tensor", kDoc);
            }
            r.starts.push_back(before);
            r.lengths.push_back(end - before);
            before = end;
        }
        return r;
    }
    r.lengths = lengths != nullptr ? run.ints(*lengths)
                                   : std::vector<int64_t>(static_cast<size_t>(tensor.dim(0)), tensor.dim(1));
    for (int64_t b = 0; b < static_cast<int64_t>(r.lengths.size()); b++) {
        r.starts.push_back(b * tensor.dim(1));
    }
    return r;
}

/** Decoded keys of one sequence. */
std::vector<float> keys_of(Run& run, const Tensor& key, const Rows& rows, const Sequences* pages, int64_t batch) {
    const int64_t length = rows.lengths[static_cast<size_t>(batch)];
    std::vector<float> keys(static_cast<size_t>(length * kHeadDim));
    const void* base = run.raw(key);
    for (int64_t t = 0; t < length; t++) {
        int64_t element;
        if (pages != nullptr) {
            element = pages->element(pages->row(run, batch, t));
        } else {
            const int64_t row = rows.starts[static_cast<size_t>(batch)] + t;
            element = row * kHeadDim;
        }
        decode_row(base, key.dtype, element, 1, kHeadDim, &keys[static_cast<size_t>(t * kHeadDim)]);
    }
    return keys;
}

void run(Run& run) {
    const Tensor& query = *run.tensor("query");
    const Tensor& key = *run.tensor("key");
    const Tensor& out = *run.tensor("sparseIndicesOut");
    const bool paged = run.text("layoutKeyOptional") == "PA_BSND";
    const int64_t heads = query.dim(-2), count = run.integer("sparseCount");
    const Tensor* key_lengths = present(run, "actualSeqLengthsKeyOptional");
    const Rows queries = rows_of(run, query, query.rank() == 3, present(run, "actualSeqLengthsQueryOptional"));
    Rows entries = paged ? Rows{} : rows_of(run, key, key.rank() == 3, key_lengths);
    std::vector<Sequences> pages;
    if (paged) {
        entries.lengths = run.ints(*key_lengths);
        pages.push_back(Sequences::paged(run, key, *run.tensor("blockTableOptional"), entries.lengths, kDoc));
    }
    const std::vector<float> q = run.floats(query), w = run.floats(*run.tensor("weights"));
    std::vector<int64_t> indices(static_cast<size_t>(out.numel()), -1);
    std::vector<float> values(indices.size(), -std::numeric_limits<float>::infinity());
    for (size_t b = 0; b < queries.lengths.size(); b++) {
        const auto batch = static_cast<int64_t>(b);
        const std::vector<float> keys = keys_of(run, key, entries, paged ? pages.data() : nullptr, batch);
        for (int64_t i = 0; i < queries.lengths[b]; i++) {
            const int64_t row = queries.starts[b] + i;
            const int64_t visible =
                run.integer("sparseMode") == 0
                    ? entries.lengths[b]
                    : indexer::causal_bound(entries.lengths[b], 1, 0, queries.lengths[b], i);
            std::vector<float> scores;
            for (int64_t t = 0; t < visible; t++) {
                scores.push_back(indexer::score(&q[static_cast<size_t>(row * heads * kHeadDim)],
                                                &w[static_cast<size_t>(row * heads)], nullptr, 1,
                                                &keys[static_cast<size_t>(t * kHeadDim)], heads));
            }
            const indexer::Selection chosen = indexer::select(run, scores, count);
            std::copy(chosen.indices.begin(), chosen.indices.end(), indices.begin() + row * count);
            std::copy(chosen.values.begin(), chosen.values.end(), values.begin() + row * count);
        }
    }
    run.store(out, indices);
    if (run.flag("returnValues")) {
        run.store(*run.tensor("sparseValuesOut"), values);
    }
}

EMU_OP(lightning_indexer, .name = "aclnnLightningIndexer", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"sparseIndicesOut", "sparseValuesOut"});

}  // namespace

}  // namespace emu

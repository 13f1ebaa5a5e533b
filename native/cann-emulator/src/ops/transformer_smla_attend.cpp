// Numerics: scores and sums in F32; the probability is rounded to the query's dtype for the product with V but not in
// the denominator; the sink is a logit without a value. SparseFlashMla document, formulas of the online softmax.
#include <algorithm>
#include <cmath>
#include <limits>

#include "blocked.h"
#include "checks.h"
#include "rows.h"
#include "sequences.h"
#include "transformer_smla.h"

namespace emu::smla {

namespace {

/** One cache with the rows of the current sequence decoded on demand. */
class Cache {
  public:
    Cache(Run& run, const Tensor& tensor, Sequences sequences, const DecodeRow& decode)
        : run_(run), base_(run.raw(tensor)), sequences_(std::move(sequences)), decode_(decode) {}

    int64_t length(int64_t batch) const { return sequences_.length(batch); }

    void begin(int64_t batch) {
        batch_ = batch;
        rows_.assign(static_cast<size_t>(length(batch)), {});
    }

    const float* row(int64_t token) {
        std::vector<float>& lanes = rows_[static_cast<size_t>(token)];
        if (lanes.empty()) {
            lanes.resize(kHeadDim);
            decode_(base_, sequences_.element(sequences_.row(run_, batch_, token)), lanes.data());
        }
        return lanes.data();
    }

  private:
    Run& run_;
    const void* base_;
    Sequences sequences_;
    const DecodeRow& decode_;
    int64_t batch_ = 0;
    std::vector<std::vector<float>> rows_;
};

Sequences sequences_of(Run& run, const Tensor& kv, const char* prefix, const char* used, const char* table,
                       std::vector<int64_t> fallback, const char* cite) {
    const std::string layout = run.text("layoutKvOptional");
    const Tensor* lengths = present(run, used);
    if (layout == "TND") {
        return Sequences::packed(run, kv, *present(run, prefix), lengths, cite);
    }
    if (layout == "BSND") {
        return Sequences::dense(run, kv, lengths, cite);
    }
    return Sequences::paged(run, kv, *present(run, table), lengths != nullptr ? run.ints(*lengths) : fallback, cite);
}

/** Half-open range of window tokens a query sees. */
std::pair<int64_t, int64_t> window(const Run& run, int64_t bound, int64_t length) {
    const int64_t mode = run.integer("oriMaskMode");
    if (mode == 0) {
        return {0, length};
    }
    if (mode == 3) {
        return {0, std::clamp<int64_t>(bound, 0, length)};
    }
    const int64_t left = run.integer("oriWinLeft");
    const int64_t right = run.integer("oriWinRight");
    const int64_t end = right == -1 ? length : std::clamp<int64_t>(bound + right, 0, length);
    const int64_t start = left == -1 ? 0 : std::max<int64_t>(bound - left - 1, 0);
    return {std::min(start, end), end};
}

/** Indices up to the first -1 (or `limit` of them) that lie inside [low, high). */
std::vector<int64_t> chosen(Run& run, const std::vector<int64_t>& table, int64_t query, int64_t width, int64_t limit,
                            int64_t low, int64_t high, const char* cite) {
    std::vector<int64_t> tokens;
    std::vector<bool> seen(static_cast<size_t>(std::max<int64_t>(high, 0)));
    for (int64_t k = 0; k < std::min(width, limit); k++) {
        const int64_t token = table[static_cast<size_t>(query * width + k)];
        if (token == -1) {
            break;  // entries after the first -1 are not read
        }
        if (token < -1) {
            run.device_exception("sparse index " + std::to_string(token) + " of query " + std::to_string(query), cite);
        }
        if (token >= low && token < high) {
            if (seen[static_cast<size_t>(token)]) {
                run.device_exception("sparse index " + std::to_string(token) + " twice for query " +
                                         std::to_string(query),
                                     cite);
            }
            seen[static_cast<size_t>(token)] = true;
            tokens.push_back(token);
        }
    }
    return tokens;
}

struct HeadResult {
    float max, sum;
};

/** One head against the given rows; `out` receives 512 lanes. */
HeadResult attend_head(const float* q, const std::vector<const float*>& rows, float scale, float sink,
                       aclDataType dtype, float* out) {
    std::vector<float> scores(rows.size());
    float max = sink;
    for (size_t i = 0; i < rows.size(); i++) {
        scores[i] = dot(q, rows[i], kHeadDim) * scale;
        max = std::fmax(max, scores[i]);
    }
    std::fill(out, out + kHeadDim, 0.0F);
    float sum = std::exp(sink - max);
    for (size_t i = 0; i < rows.size(); i++) {
        const float weight = std::exp(scores[i] - max);
        sum += weight;
        add_scaled(out, rounded(dtype, weight), rows[i], kHeadDim);
    }
    for (int64_t d = 0; d < kHeadDim; d++) {
        out[d] /= sum;
    }
    return {max, sum};
}

std::vector<int64_t> ints_or_empty(const Run& run, const char* name) {
    const Tensor* tensor = present(run, name);
    return tensor == nullptr ? std::vector<int64_t>{} : run.ints(*tensor);
}

/** The keys one query sees. */
class Visible {
  public:
    Visible(Run& run, const char* cite)
        : run_(run),
          cite_(cite),
          ratio_(run.integer("cmpRatio")),
          cmp_mode_(run.integer("cmpMaskMode")),
          residual_(ints_or_empty(run, "cmpResidualKvOptional")),
          cmp_table_(ints_or_empty(run, "cmpSparseIndicesOptional")),
          ori_table_(ints_or_empty(run, "oriSparseIndicesOptional")),
          ori_count_(ints_or_empty(run, "oriTopkLengthOptional")) {}

    std::vector<const float*> rows(Cache& ori, Cache* cmp, int64_t b, int64_t i, int64_t query, int64_t queries) {
        std::vector<const float*> keys;
        const int64_t length = ori.length(b);
        const auto [start, end] = window(run_, length - queries + i + 1, length);
        if (ori_table_.empty()) {
            for (int64_t t = start; t < end; t++) {
                keys.push_back(ori.row(t));
            }
        } else {
            const int64_t width = run_.tensor("oriSparseIndicesOptional")->dim(-1);
            for (int64_t t :
                 chosen(run_, ori_table_, query, width, ori_count_[static_cast<size_t>(query)], start, end, cite_)) {
                keys.push_back(ori.row(t));
            }
        }
        if (cmp == nullptr) {
            return keys;
        }
        const int64_t bound = compressed_bound(b, i, queries, cmp->length(b));
        if (cmp_table_.empty()) {
            for (int64_t t = 0; t < bound; t++) {
                keys.push_back(cmp->row(t));
            }
        } else {
            const int64_t width = run_.tensor("cmpSparseIndicesOptional")->dim(-1);
            for (int64_t t : chosen(run_, cmp_table_, query, width, width, 0, bound, cite_)) {
                keys.push_back(cmp->row(t));
            }
        }
        return keys;
    }

  private:
    /** Entries before the causal bound; the uncompressed length is restored from the entries and the residual. */
    int64_t compressed_bound(int64_t b, int64_t i, int64_t queries, int64_t entries) const {
        if (cmp_mode_ == 0) {
            return entries;
        }
        const int64_t residual = residual_.empty() ? 0 : residual_[static_cast<size_t>(b)];
        const int64_t position = entries * ratio_ + residual - queries + i + 1;
        return position <= 0 ? 0 : std::min(position / ratio_, entries);
    }

    Run& run_;
    const char* cite_;
    int64_t ratio_, cmp_mode_;
    std::vector<int64_t> residual_, cmp_table_, ori_table_, ori_count_;
};

Sequences query_sequences(Run& run, const Tensor& q, const char* cite) {
    return run.text("layoutQOptional") == "TND"
               ? Sequences::packed(run, q, *present(run, "cuSeqlensQOptional"), nullptr, cite)
               : Sequences::dense(run, q, nullptr, cite);
}

}  // namespace

void attend(Run& run, const Plan& plan, const DecodeRow& ori_decode, const DecodeRow& cmp_decode, const char* cite) {
    verify(run, plan, run.ints(*present(run, "metadataOptional")), cite);
    const Tensor& q = *run.tensor("q");
    const Tensor& ori_kv = *present(run, "oriKvOptional");
    const Tensor* cmp_kv = present(run, "cmpKvOptional");
    const int64_t heads = q.dim(-2);
    const Sequences queries = query_sequences(run, q, cite);
    Cache ori(run, ori_kv,
              sequences_of(run, ori_kv, "cuSeqlensOriKvOptional", "sequsedOriKvOptional", "oriBlockTableOptional", {},
                           cite),
              ori_decode);
    std::vector<Cache> cmp;
    if (cmp_kv != nullptr) {
        std::vector<int64_t> lengths;  // without sequsedCmpKv a paged cache holds what the window's length compresses to
        for (int64_t b = 0; b < queries.batches(); b++) {
            lengths.push_back(ori.length(b) / run.integer("cmpRatio"));
        }
        cmp.emplace_back(run, *cmp_kv,
                         sequences_of(run, *cmp_kv, "cuSeqlensCmpKvOptional", "sequsedCmpKvOptional",
                                      "cmpBlockTableOptional", lengths, cite),
                         cmp_decode);
    }
    const std::vector<float> query_values = dense_floats(run, q);
    const std::vector<float> sinks = run.floats(*present(run, "sinksOptional"));
    const auto scale = static_cast<float>(run.real("softmaxScale"));
    std::vector<float> out(query_values.size(), std::numeric_limits<float>::quiet_NaN());
    std::vector<float> lse(query_values.size() / kHeadDim, std::numeric_limits<float>::quiet_NaN());
    Visible visible(run, cite);
    for (int64_t b = 0; b < queries.batches(); b++) {
        ori.begin(b);
        if (!cmp.empty()) {
            cmp[0].begin(b);
        }
        for (int64_t i = 0; i < queries.length(b); i++) {
            const int64_t query = queries.row(run, b, i);
            std::vector<const float*> keys =
                visible.rows(ori, cmp.empty() ? nullptr : &cmp[0], b, i, query, queries.length(b));
            if (run.jitter()) {
                std::shuffle(keys.begin(), keys.end(), run.random());
            }
            for (int64_t h = 0; h < heads; h++) {
                const auto at = static_cast<size_t>(query * heads + h);
                const HeadResult r = attend_head(&query_values[at * kHeadDim], keys, scale,
                                                 sinks[static_cast<size_t>(h)], q.dtype, &out[at * kHeadDim]);
                lse[at] = r.max + std::log(r.sum);
            }
        }
    }
    run.store(*run.tensor("attnOutOut"), out);
    if (run.flag("returnSoftmaxLse")) {
        run.store(*run.tensor("softmaxLseOutOptional"), lse);
    }
}

}  // namespace emu::smla

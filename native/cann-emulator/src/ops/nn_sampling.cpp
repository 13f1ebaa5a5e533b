// ApplyTopKTopP: logits outside the k best and the nucleus of probability p become minus infinity.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kDoc = "ops-nn docs aclnnApplyTopKTopP";

void rule(Call& call) {
    const Tensor& logits = call.need("logits");
    call.dtypes("logits", kFloats, kDoc);
    call.require(logits.rank() == 2, kInvalid, "logits is " + describe(logits), kDoc);
    call.require(call.has("p") || call.has("k"), kInvalid, "neither p nor k is given", kDoc);
    call.dtypes("p", {logits.dtype}, kDoc);
    call.dtypes("k", {ACL_INT32}, kDoc);
    call.shape("p", {logits.dim(0)}, kDoc);
    call.shape("k", {logits.dim(0)}, kDoc);
    call.need("out");
    call.dtypes("out", {logits.dtype}, kDoc);
    call.shape("out", logits.dims, kDoc);
}

constexpr float kOut = -std::numeric_limits<float>::infinity();

void keep_best(float* row, int64_t n, int64_t k) {
    if (k >= n) {
        return;
    }
    std::vector<float> sorted(row, row + n);
    std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<>());
    const float least = sorted[static_cast<size_t>(k - 1)];  // equal values stay together
    std::replace_if(row, row + n, [least](float v) { return v < least; }, kOut);
}

/** Drops, from the least probable on, what together has at most probability 1 - p; the best one stays. */
void keep_nucleus(float* row, int64_t n, float p) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [row](int64_t a, int64_t b) { return row[a] < row[b]; });
    const float top = row[order.back()];
    float total = 0, below = 0;
    for (int64_t i = 0; i < n; i++) {
        total += std::exp(row[i] - top);
    }
    for (int64_t i = 0; i + 1 < n; i++) {
        float& logit = row[order[static_cast<size_t>(i)]];
        below += std::exp(logit - top) / total;
        if (below > 1 - p) {
            break;
        }
        logit = kOut;
    }
}

void run_rows(Run& run) {
    const Tensor& logits = *run.tensor("logits");
    std::vector<float> values = run.floats(logits);
    const int64_t width = logits.dim(1);
    const std::vector<int64_t> k = run.has("k") ? run.ints(*run.tensor("k")) : std::vector<int64_t>{};
    const std::vector<float> p = run.has("p") ? run.floats(*run.tensor("p")) : std::vector<float>{};
    for (int64_t r = 0; r < logits.dim(0); r++) {
        float* row = values.data() + r * width;
        if (!k.empty() && k[static_cast<size_t>(r)] > 0) {
            keep_best(row, width, k[static_cast<size_t>(r)]);
        }
        if (!p.empty()) {
            keep_nucleus(row, width, p[static_cast<size_t>(r)]);
        }
    }
    run.store(*run.tensor("out"), values);
}

EMU_OP(top_k_top_p, "aclnnApplyTopKTopP", kDoc, rule, run_rows, {}, true, true);

}  // namespace
}  // namespace emu

// Operators that order or scan along one axis. The order of equal values is not promised unless `stable` asks for it.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kTopkDoc = "ops-math docs aclnnTopk";
constexpr const char* kSortDoc = "ops-math docs aclnnSort";
constexpr const char* kArgMaxDoc = "ops-math docs aclnnArgMax";
constexpr const char* kCumsumDoc = "ops-math docs aclnnCumsum";

/** Of aclnnSort, where products differ. */
void sortable(Call& call, const Tensor& self, int axis) {
    if (is950(call)) {
        call.dtypes("self", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8, ACL_INT16, ACL_INT32, ACL_INT64, ACL_UINT8,
                             ACL_UINT16,
                             ACL_UINT32, ACL_UINT64},
                    kSortDoc);
        return;
    }
    call.dtypes("self", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8, ACL_INT16, ACL_INT32, ACL_INT64, ACL_UINT8,
                         ACL_BOOL}, kSortDoc);
    call.require(self.dtype != ACL_BF16 || self.rank() == 0 || self.dim(axis) != 1, kInvalid, "BF16 along an axis of 1",
                 kSortDoc);
}

constexpr DtypeList kSortable = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE, ACL_INT8,
                                 ACL_UINT8, ACL_INT16,   ACL_INT32, ACL_INT64};

enum class Ties { random, stable };

/** Positions of `n` values `step` apart, best first. NaN counts as the largest. */
template <typename T>
std::vector<int64_t> ranking(Run& run, const T* values, int64_t n, int64_t step, bool descending, Ties ties) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    if (ties == Ties::random) {
        std::shuffle(order.begin(), order.end(), run.random());
    }
    const auto less = [&](int64_t a, int64_t b) {
        const T x = values[a * step], y = values[b * step];
        return x != x ? false : y != y ? true : x < y;
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return descending ? less(b, a) : less(a, b); });
    return order;
}

/** Positions along the axis for every (outer, inner) line: kept[outer][k][inner]. */
template <typename T>
std::vector<int64_t> rank_lines(Run& run, const std::vector<T>& values, const Around& shape, int64_t k, bool descending,
                                Ties ties, bool sorted) {
    std::vector<int64_t> kept(static_cast<size_t>(shape.outer * k * shape.inner));
    for (int64_t o = 0; o < shape.outer; o++) {
        for (int64_t i = 0; i < shape.inner; i++) {
            std::vector<int64_t> order = ranking(run, values.data() + o * shape.extent * shape.inner + i, shape.extent,
                                                 shape.inner, descending, ties);
            if (!sorted) {
                std::shuffle(order.begin(), order.begin() + k, run.random());
            }
            for (int64_t j = 0; j < k; j++) {
                kept[static_cast<size_t>((o * k + j) * shape.inner + i)] = order[static_cast<size_t>(j)];
            }
        }
    }
    return kept;
}

/** Writes the kept positions and the values found there. */
void put_ranked(Run& run, const Tensor& self, int axis, int64_t k, bool descending, Ties ties, bool sorted) {
    const Around shape(self.dims, axis);
    const std::vector<int64_t> kept =
        is_float(self.dtype) ? rank_lines(run, run.floats(self), shape, k, descending, ties, sorted)
                             : rank_lines(run, run.ints(self), shape, k, descending, ties, sorted);
    const std::vector<int64_t> bits = run.ints(bits_of(self));
    std::vector<int64_t> values(kept.size());
    for (int64_t e = 0; e < static_cast<int64_t>(kept.size()); e++) {
        const int64_t outer = e / (k * shape.inner), inner = e % shape.inner;
        values[static_cast<size_t>(e)] =
            bits[static_cast<size_t>((outer * shape.extent + kept[static_cast<size_t>(e)]) * shape.inner + inner)];
    }
    run.store(bits_of(*run.tensor("valuesOut")), values);
    run.store(*run.tensor("indicesOut"), kept);
}

void ranked_rule(Call& call, int64_t k, int axis, const char* cite) {
    const Tensor& self = call.need("self");
    max_rank(call, "self", 8, cite);
    Dims expected = self.dims;
    if (!expected.empty()) {
        expected[static_cast<size_t>(axis)] = k;
    }
    call.need("valuesOut");
    call.need("indicesOut");
    call.dtypes("valuesOut", {self.dtype}, cite);
    call.dtypes("indicesOut", {ACL_INT64}, cite);
    same_shape(call, "valuesOut", expected, cite);
    same_shape(call, "indicesOut", expected, cite);
}

void topk_rule(Call& call) {
    const Tensor& self = call.need("self");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kTopkDoc);
    const int64_t k = call.integer("k"), extent = self.rank() == 0 ? 1 : self.dim(axis);
    call.require(k >= 0 && k <= extent, kInvalid, "k is " + std::to_string(k) + " of " + std::to_string(extent),
                 kTopkDoc);
    call.dtypes("self", kSortable, kTopkDoc);
    ranked_rule(call, k, axis, kTopkDoc);
}

void topk_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    put_ranked(run, self, axis_of(run.integer("dim"), self.rank()), run.integer("k"), run.flag("largest"), Ties::random,
               run.flag("sorted"));
}

void sort_rule(Call& call) {
    const Tensor& self = call.need("self");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kSortDoc);
    sortable(call, self, axis);
    ranked_rule(call, self.rank() == 0 ? 1 : self.dim(axis), axis, kSortDoc);
}

void sort_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    const int axis = axis_of(run.integer("dim"), self.rank());
    put_ranked(run, self, axis, Around(self.dims, axis).extent, run.flag("descending"),
               run.flag("stable") ? Ties::stable : Ties::random, true);
}

void argmax_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kSortable, kArgMaxDoc);
    call.need("out");
    call.dtypes("out", kIndices, kArgMaxDoc);
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kArgMaxDoc);
    Dims expected = self.dims;
    if (!expected.empty() && call.flag("keepdim")) {
        expected[static_cast<size_t>(axis)] = 1;
    } else if (!expected.empty()) {
        expected.erase(expected.begin() + axis);
    }
    call.require(self.numel() > 0, kInvalid, "the maximum of no elements", kArgMaxDoc);
    same_shape(call, "out", expected, kArgMaxDoc);
}

void argmax_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    const Around shape(self.dims, axis_of(run.integer("dim"), self.rank()));
    // the first of equal values
    run.store(*run.tensor("out"), is_float(self.dtype)
                                      ? rank_lines(run, run.floats(self), shape, 1, true, Ties::stable, true)
                                      : rank_lines(run, run.ints(self), shape, 1, true, Ties::stable, true));
}

void cumsum_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kNumbers, kCumsumDoc);
    axis_of(call, call.integer("dim"), self.rank(), kCumsumDoc);
    call.require(call.integer("dtype") == call.need("out").dtype, kInvalid, "dtype differs from that of out",
                 kCumsumDoc);
    call.dtypes("out", kNumbers, kCumsumDoc);
    convertible(call, self.dtype, "out", kCumsumDoc);
    same_shape(call, "out", self.dims, kCumsumDoc);
}

template <typename T>
void accumulate(std::vector<T>& values, const Around& shape) {
    for (int64_t o = 0; o < shape.outer; o++) {
        for (int64_t e = 1; e < shape.extent; e++) {
            for (int64_t i = 0; i < shape.inner; i++) {
                const auto here = static_cast<size_t>((o * shape.extent + e) * shape.inner + i);
                values[here] += values[here - static_cast<size_t>(shape.inner)];
            }
        }
    }
}

void cumsum_run(Run& run) {
    const Tensor &self = *run.tensor("self"), &out = *run.tensor("out");
    const Around shape(self.dims, axis_of(run.integer("dim"), self.rank()));
    if (is_float(out.dtype)) {
        std::vector<float> values = run.floats(self);
        accumulate(values, shape);
        run.store(out, values);
    } else {
        std::vector<int64_t> values = run.ints(self);
        accumulate(values, shape);
        run.store(out, values);
    }
}

EMU_OP(topk, "aclnnTopk", kTopkDoc, topk_rule, topk_run, {}, true, true);
EMU_OP(sort, "aclnnSort", kSortDoc, sort_rule, sort_run, {}, true, true);
EMU_OP(argmax, "aclnnArgMax", kArgMaxDoc, argmax_rule, argmax_run, {}, true, true);
EMU_OP(cumsum, "aclnnCumsum", kCumsumDoc, cumsum_rule, cumsum_run, {}, true, true);

}  // namespace
}  // namespace emu

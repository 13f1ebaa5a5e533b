// Reductions over axes. Sums are F32 (exact for integers); their order is not promised, so `jitter` shuffles it.
#include <algorithm>
#include <limits>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kSumDoc = "ops-math docs aclnnReduceSum";
constexpr const char* kMeanDoc = "ops-math docs aclnnMean";
constexpr const char* kMaxDoc = "ops-math docs aclnnMax";
constexpr const char* kAmaxDoc = "ops-math docs aclnnAmax";

/** Which axes go; an absent or empty list means all. */
std::vector<bool> reduced_axes(const std::vector<int64_t>* axes, int rank) {
    std::vector<bool> reduced(static_cast<size_t>(rank), axes == nullptr || axes->empty());
    if (axes != nullptr) {
        for (int64_t axis : *axes) {
            if (rank > 0) {
                reduced[static_cast<size_t>(axis_of(axis, rank))] = true;
            }
        }
    }
    return reduced;
}

void reduction_rule(Call& call, const char* axes, bool keep, const char* cite) {
    const Tensor& self = call.need("self");
    const std::vector<int64_t>* list = call.integers(axes);
    if (list != nullptr) {
        for (int64_t axis : *list) {
            axis_of(call, axis, self.rank(), cite);
        }
    }
    const std::vector<bool> reduced = reduced_axes(list, self.rank());
    Dims expected;
    for (size_t i = 0; i < reduced.size(); i++) {
        if (!reduced[i]) {
            expected.push_back(self.dims[i]);
        } else if (keep) {
            expected.push_back(1);
        }
    }
    call.need("out");
    same_shape(call, "out", expected, cite);
    max_rank(call, "self", 8, cite);
}

/** Row-major offsets of all positions on the axes that are (or are not) reduced. */
std::vector<int64_t> offsets(const Dims& dims, const std::vector<bool>& reduced, bool which) {
    const Dims strides = dense_strides(dims);
    std::vector<int64_t> all = {0};
    for (size_t axis = 0; axis < dims.size(); axis++) {
        if (reduced[axis] != which) {
            continue;
        }
        std::vector<int64_t> longer;
        for (int64_t offset : all) {
            for (int64_t i = 0; i < dims[axis]; i++) {
                longer.push_back(offset + i * strides[axis]);
            }
        }
        all = std::move(longer);
    }
    return all;
}

template <typename T>
void reduce(Run& run, const Tensor& self, const std::vector<T>& values, const std::vector<int64_t>* axes, T start,
            T (*combine)(T, T), T (*finish)(T, int64_t)) {
    const std::vector<bool> reduced = reduced_axes(axes, self.rank());
    std::vector<int64_t> members = offsets(self.dims, reduced, true);
    if (run.jitter()) {
        std::shuffle(members.begin(), members.end(), run.random());
    }
    std::vector<T> out;
    for (int64_t first : offsets(self.dims, reduced, false)) {
        T total = start;
        for (int64_t member : members) {
            total = combine(total, values[static_cast<size_t>(first + member)]);
        }
        out.push_back(finish(total, static_cast<int64_t>(members.size())));
    }
    run.store(*run.tensor("out"), out);
}

void sum_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kNumbers, kSumDoc);
    reduction_rule(call, "dims", call.flag("keepDims"), kSumDoc);
    call.require(call.integer("dtype") == call.need("out").dtype, kInvalid, "dtype differs from that of out", kSumDoc);
    call.dtypes("out", kNumbers, kSumDoc);
    call.require(!is_float(self.dtype) || is_float(call.need("out").dtype), kInvalid,
                 "a sum of floats into an integer tensor", kSumDoc);
}

void sum_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    if (is_float(self.dtype) || is_float(run.tensor("out")->dtype)) {
        reduce<float>(run, self, run.floats(self), run.integers("dims"), 0, [](float a, float b) { return a + b; },
                      [](float total, int64_t) { return total; });
    } else {
        reduce<int64_t>(run, self, run.ints(self), run.integers("dims"), 0, [](int64_t a, int64_t b) { return a + b; },
                        [](int64_t total, int64_t) { return total; });
    }
}

void mean_rule(Call& call) {
    call.need("self");
    call.dtypes("self", kNumbers, kMeanDoc);
    reduction_rule(call, "dim", call.flag("keepDim"), kMeanDoc);
    call.require(call.integer("dtype") == call.need("out").dtype, kInvalid, "dtype differs from that of out", kMeanDoc);
    call.dtypes("out", kFloats, kMeanDoc);
}

void mean_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    reduce<float>(run, self, run.floats(self), run.integers("dim"), 0, [](float a, float b) { return a + b; },
                  [](float total, int64_t n) { return total / static_cast<float>(n); });
}

void largest_of(Run& run, const std::vector<int64_t>* axes) {
    const Tensor& self = *run.tensor("self");
    if (is_float(self.dtype)) {
        reduce<float>(run, self, run.floats(self), axes, -std::numeric_limits<float>::infinity(),
                      [](float a, float b) { return a != a || a > b ? a : b; }, [](float a, int64_t) { return a; });
    } else {
        reduce<int64_t>(run, self, run.ints(self), axes, std::numeric_limits<int64_t>::min(),
                        [](int64_t a, int64_t b) { return std::max(a, b); }, [](int64_t a, int64_t) { return a; });
    }
}

void max_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kNumbers, kMaxDoc);
    call.require(self.numel() > 0, kInvalid, "the maximum of no elements", kMaxDoc);
    call.require(call.need("out").numel() == 1, kInvalid, "out is not one element", kMaxDoc);
    call.dtypes("out", {self.dtype}, kMaxDoc);
}

void max_run(Run& run) {
    largest_of(run, nullptr);
}

void amax_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kNumbers, kAmaxDoc);
    reduction_rule(call, "dim", call.flag("keepDim"), kAmaxDoc);
    call.require(self.numel() > 0, kInvalid, "the maximum of no elements", kAmaxDoc);
    call.dtypes("out", {self.dtype}, kAmaxDoc);
}

void amax_run(Run& run) {
    largest_of(run, run.integers("dim"));
}

EMU_OP(sum, "aclnnReduceSum", kSumDoc, sum_rule, sum_run, {}, true, true);
EMU_OP(mean, "aclnnMean", kMeanDoc, mean_rule, mean_run, {}, true, true);
EMU_OP(max, "aclnnMax", kMaxDoc, max_rule, max_run, {}, true, true);
EMU_OP(amax, "aclnnAmax", kAmaxDoc, amax_rule, amax_run, {}, true, true);

}  // namespace
}  // namespace emu

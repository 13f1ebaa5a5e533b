// Operators that make values: constants, ranges, one-hot rows, triangles.
#include <cmath>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kZeroDoc = "ops-math docs aclnnInplaceZero";
constexpr const char* kFillDoc = "ops-math docs aclnnInplaceFillScalar";
constexpr const char* kRangeDoc = "ops-math docs aclnnRange";
constexpr const char* kArangeDoc = "ops-math docs aclnnArange";
constexpr const char* kOneHotDoc = "ops-math docs aclnnOneHot";
constexpr const char* kTrilDoc = "ops-math docs aclnnTril";
constexpr const char* kTriuDoc = "ops-math docs aclnnTriu";

void zero_rule(Call& call) {
    call.need("selfRef");
    call.dtypes("selfRef", kNumbers, kZeroDoc);
}

void zero_run(Run& run) {
    const Tensor& self = *run.tensor("selfRef");
    run.store(bits_of(self), std::vector<int64_t>(static_cast<size_t>(self.numel()), 0));
}

void fill_rule(Call& call) {
    call.need("selfRef");
    call.dtypes("selfRef", kNumbers, kFillDoc);
    call.require(call.has("value"), kNullPointer, "value is NULL", kFillDoc);
}

void fill_run(Run& run) {
    const Tensor& self = *run.tensor("selfRef");
    const double value = run.scalar("value");
    if (is_float(self.dtype)) {
        run.store(self, std::vector<float>(static_cast<size_t>(self.numel()), static_cast<float>(value)));
    } else {
        const int64_t whole = self.dtype == ACL_BOOL ? value != 0 : static_cast<int64_t>(std::trunc(value));
        run.store(self, std::vector<int64_t>(static_cast<size_t>(self.numel()), whole));
    }
}

// ---- ranges: Arange leaves the end out, Range includes it

void steps_rule(Call& call, bool with_end, const char* cite) {
    call.need("out");
    call.dtypes("out", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE, ACL_INT32, ACL_INT64}, cite);
    call.require(call.has("start") && call.has("end") && call.has("step"), kNullPointer, "start, end or step is NULL",
                 cite);
    const double start = call.scalar("start"), end = call.scalar("end"), step = call.scalar("step");
    call.require(step != 0 && (end - start) * step >= 0, kInvalid, "step does not lead from start to end", cite);
    const double steps = (end - start) / step;
    same_shape(call, "out", {static_cast<int64_t>(with_end ? std::floor(steps) + 1 : std::ceil(steps))}, cite);
}

void range_rule(Call& call) {
    steps_rule(call, true, kRangeDoc);
}

void arange_rule(Call& call) {
    steps_rule(call, false, kArangeDoc);
}

void steps_run(Run& run) {
    const Tensor& out = *run.tensor("out");
    const double start = run.scalar("start"), step = run.scalar("step");
    std::vector<float> reals;
    std::vector<int64_t> wholes;
    for (int64_t i = 0; i < out.numel(); i++) {
        const double value = start + static_cast<double>(i) * step;
        reals.push_back(static_cast<float>(value));
        wholes.push_back(static_cast<int64_t>(value));
    }
    if (is_float(out.dtype)) {
        run.store(out, reals);
    } else {
        run.store(out, wholes);
    }
}

// ---- OneHot

void one_hot_rule(Call& call) {
    const Tensor &self = call.need("self"), &out = call.need("out");
    const Tensor &on = call.need("onValue"), &off = call.need("offValue");
    call.dtypes("self", {ACL_INT32, ACL_INT64, ACL_UINT8}, kOneHotDoc);
    call.dtypes("out", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8, ACL_UINT8, ACL_INT32, ACL_INT64}, kOneHotDoc);
    call.require(on.dtype == out.dtype && off.dtype == out.dtype, kInvalid, "onValue, offValue and out differ in dtype",
                 kOneHotDoc);
    call.require(on.numel() == 1 && off.numel() == 1, kInvalid, "onValue or offValue is not one element", kOneHotDoc);
    const int64_t axis = call.integer("axis"), classes = call.integer("numClasses");
    call.require(axis >= -1 && axis <= self.rank(), kInvalid, "axis " + std::to_string(axis), kOneHotDoc);
    call.require(classes >= 0, kInvalid, "numClasses is negative", kOneHotDoc);
    Dims expected = self.dims;
    expected.insert(axis == -1 ? expected.end() : expected.begin() + axis, classes);
    same_shape(call, "out", expected, kOneHotDoc);
}

/** An index that is no class gives a row of off values. */
void one_hot_run(Run& run) {
    const Tensor& out = *run.tensor("out");
    const int64_t axis = run.integer("axis");
    const Around shape(out.dims, static_cast<int>(axis == -1 ? out.rank() - 1 : axis));
    const int64_t on = run.ints(bits_of(*run.tensor("onValue")))[0];
    const int64_t off = run.ints(bits_of(*run.tensor("offValue")))[0];
    const std::vector<int64_t> self = run.ints(*run.tensor("self"));
    std::vector<int64_t> values(static_cast<size_t>(out.numel()), off);
    for (int64_t o = 0; o < shape.outer; o++) {
        for (int64_t i = 0; i < shape.inner; i++) {
            const int64_t chosen = self[static_cast<size_t>(o * shape.inner + i)];
            if (chosen >= 0 && chosen < shape.extent) {
                values[static_cast<size_t>((o * shape.extent + chosen) * shape.inner + i)] = on;
            }
        }
    }
    run.store(bits_of(out), values);
}

// ---- triangles

void triangle_rule(Call& call, const char* cite) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kNumbers, cite);
    call.require(self.rank() >= 2, kInvalid, "self is " + describe(self) + ", no matrix", cite);
    max_rank(call, "self", 8, cite);
    call.need("out");
    call.dtypes("out", {self.dtype}, cite);
    same_shape(call, "out", self.dims, cite);
}

void triangle_run(Run& run, bool lower) {
    const Tensor& self = *run.tensor("self");
    const int64_t columns = self.dim(-1), rows = self.dim(-2), diagonal = run.integer("diagonal");
    std::vector<int64_t> values = run.ints(bits_of(self));
    for (int64_t e = 0; e < self.numel(); e++) {
        const int64_t column = e % columns, row = e / columns % rows;
        if (lower ? column - row > diagonal : column - row < diagonal) {
            values[static_cast<size_t>(e)] = 0;
        }
    }
    run.store(bits_of(*run.tensor("out")), values);
}

void tril_rule(Call& call) {
    triangle_rule(call, kTrilDoc);
}
void tril_run(Run& run) {
    triangle_run(run, true);
}
void triu_rule(Call& call) {
    triangle_rule(call, kTriuDoc);
}
void triu_run(Run& run) {
    triangle_run(run, false);
}

EMU_OP(zero, "aclnnInplaceZero", kZeroDoc, zero_rule, zero_run, {}, true, true);
EMU_OP(fill, "aclnnInplaceFillScalar", kFillDoc, fill_rule, fill_run, {}, true, true);
EMU_OP(range, "aclnnRange", kRangeDoc, range_rule, steps_run, {}, true, true);
EMU_OP(arange, "aclnnArange", kArangeDoc, arange_rule, steps_run, {}, true, true);
EMU_OP(one_hot, "aclnnOneHot", kOneHotDoc, one_hot_rule, one_hot_run, {}, true, true);
EMU_OP(tril, "aclnnTril", kTrilDoc, tril_rule, tril_run, {}, true, true);
EMU_OP(triu, "aclnnTriu", kTriuDoc, triu_rule, triu_run, {}, true, true);

}  // namespace
}  // namespace emu

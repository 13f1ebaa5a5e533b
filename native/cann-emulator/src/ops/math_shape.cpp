// Operators that only move elements: their bits stay.
#include <algorithm>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kCatDoc = "ops-math docs aclnnCat";
constexpr const char* kSplitSizeDoc = "ops-math docs aclnnSplitWithSize";
constexpr const char* kSplitDoc = "ops-math docs aclnnSplitTensor";
constexpr const char* kSliceDoc = "ops-math docs aclnnSlice";
constexpr const char* kPermuteDoc = "ops-math docs aclnnPermute";
constexpr const char* kRepeatDoc = "ops-math docs aclnnRepeat";

/** Positions first, first + step, .. of an axis, `count` of them. */
Tensor part(const Tensor& t, int axis, int64_t first, int64_t count, int64_t step = 1) {
    Tensor view = t;
    const auto a = static_cast<size_t>(axis);
    view.offset += first * t.strides[a];
    view.dims[a] = count;
    view.strides[a] *= step;
    return view;
}

void moved_rule(Call& call, const char* name, const char* cite) {
    call.need(name);
    call.dtypes(name, kNumbers, cite);
    max_rank(call, name, 8, cite);
}

void same_dtype(Call& call, const Tensor& a, const Tensor& b, const char* cite) {
    call.require(a.dtype == b.dtype, kInvalid, describe(a) + " and " + describe(b) + ": dtypes differ", cite);
}

void expect(Call& call, const Tensor& t, const Dims& dims, const char* cite) {
    call.require(t.dims == dims, kInvalid, "found " + describe(t) + ", expected extents " + dims_text(dims), cite);
}

// ---- Cat

/** A one-dimensional tensor without elements takes no part, whatever the rank of the others. */
bool skipped(const Tensor& t) {
    return t.rank() == 1 && t.dims[0] == 0;
}

void cat_rule(Call& call) {
    const std::vector<Tensor>* tensors = call.list("tensors");
    call.require(tensors != nullptr, kNullPointer, "tensors is NULL", kCatDoc);
    call.require(!tensors->empty(), kInvalid, "tensors is empty", kCatDoc);
    moved_rule(call, "out", kCatDoc);
    const Tensor& out = call.need("out");
    const int axis = axis_of(call, call.integer("dim"), out.rank(), kCatDoc);
    int64_t total = 0;
    for (const Tensor& t : *tensors) {
        if (skipped(t)) {
            continue;
        }
        same_dtype(call, t, out, kCatDoc);
        call.require(t.rank() == out.rank() && t.rank() > 0, kInvalid, describe(t) + " in " + describe(out), kCatDoc);
        Dims expected = out.dims;
        expected[static_cast<size_t>(axis)] = t.dim(axis);
        expect(call, t, expected, kCatDoc);
        total += t.dim(axis);
    }
    call.require(total == out.dim(axis), kInvalid,
                 "the parts have " + std::to_string(total) + " entries, out is " + describe(out), kCatDoc);
}

void cat_run(Run& run) {
    const Tensor& out = *run.tensor("out");
    const int axis = axis_of(run.integer("dim"), out.rank());
    int64_t first = 0;
    for (const Tensor& t : *run.list("tensors")) {
        if (!skipped(t)) {
            move(run, t, part(out, axis, first, t.dim(axis)));
            first += t.dim(axis);
        }
    }
}

// ---- splits

void split_rule(Call& call, const std::vector<int64_t>& sizes, const char* cite) {
    moved_rule(call, "self", cite);
    const Tensor& self = call.need("self");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), cite);
    const std::vector<Tensor>* out = call.list("out");
    call.require(out != nullptr, kNullPointer, "out is NULL", cite);
    call.require(out->size() == sizes.size(), kInvalid,
                 std::to_string(sizes.size()) + " parts, " + std::to_string(out->size()) + " tensors in out", cite);
    int64_t total = 0;
    for (size_t i = 0; i < sizes.size(); i++) {
        same_dtype(call, self, (*out)[i], cite);
        Dims expected = self.dims;
        expected[static_cast<size_t>(axis)] = sizes[i];
        expect(call, (*out)[i], expected, cite);
        total += sizes[i];
    }
    call.require(total == self.dim(axis), kInvalid, "the parts do not make up " + describe(self), cite);
}

void split_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    const int axis = axis_of(run.integer("dim"), self.rank());
    int64_t first = 0;
    for (const Tensor& t : *run.list("out")) {
        move(run, part(self, axis, first, t.dim(axis)), t);
        first += t.dim(axis);
    }
}

void split_size_rule(Call& call) {
    const std::vector<int64_t>* sizes = call.integers("splitSize");
    call.require(sizes != nullptr, kNullPointer, "splitSize is NULL", kSplitSizeDoc);
    split_rule(call, *sizes, kSplitSizeDoc);
}

void split_tensor_rule(Call& call) {
    const Tensor& self = call.need("self");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kSplitDoc);
    const int64_t size = call.integer("splitSections");
    call.require(size > 0, kInvalid, "splitSections is " + std::to_string(size), kSplitDoc);
    std::vector<int64_t> sizes;  // the last part is what remains
    for (int64_t left = self.dim(axis); left > 0; left -= size) {
        sizes.push_back(std::min(size, left));
    }
    split_rule(call, sizes, kSplitDoc);
}

// ---- views

struct Range {
    int64_t first, count, step;
};

Range range_of(const Arguments& a, int64_t extent) {
    const auto inside = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + extent : v, 0, extent); };
    const int64_t first = inside(a.integer("start")), last = inside(a.integer("end")), step = a.integer("step");
    return {first, std::max<int64_t>(0, (last - first + step - 1) / step), step};
}

void slice_rule(Call& call) {
    moved_rule(call, "self", kSliceDoc);
    const Tensor &self = call.need("self"), &out = call.need("out");
    call.require(self.rank() > 0, kInvalid, "self has no axis", kSliceDoc);
    call.require(call.integer("step") > 0, kInvalid, "step is not positive", kSliceDoc);
    same_dtype(call, self, out, kSliceDoc);
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kSliceDoc);
    Dims expected = self.dims;
    expected[static_cast<size_t>(axis)] = range_of(call, self.dim(axis)).count;
    expect(call, out, expected, kSliceDoc);
}

void slice_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    const int axis = axis_of(run.integer("dim"), self.rank());
    const Range r = range_of(run, self.dim(axis));
    move(run, part(self, axis, r.first, r.count, r.step), *run.tensor("out"));
}

Tensor permuted(const Tensor& t, const std::vector<int64_t>& axes) {
    Tensor view = t;
    for (size_t i = 0; i < axes.size(); i++) {
        const auto from = static_cast<size_t>(axis_of(axes[i], t.rank()));
        view.dims[i] = t.dims[from];
        view.strides[i] = t.strides[from];
    }
    return view;
}

void permute_rule(Call& call) {
    moved_rule(call, "self", kPermuteDoc);
    const Tensor &self = call.need("self"), &out = call.need("out");
    const std::vector<int64_t>* axes = call.integers("dims");
    call.require(axes != nullptr, kNullPointer, "dims is NULL", kPermuteDoc);
    std::vector<bool> seen(self.dims.size());
    call.require(axes->size() == self.dims.size(), kInvalid, "dims is not of the rank of self", kPermuteDoc);
    for (int64_t axis : *axes) {
        const auto a = static_cast<size_t>(axis_of(call, axis, self.rank(), kPermuteDoc));
        call.require(!seen[a], kInvalid, "dims names an axis twice", kPermuteDoc);
        seen[a] = true;
    }
    same_dtype(call, self, out, kPermuteDoc);
    expect(call, out, permuted(self, *axes).dims, kPermuteDoc);
}

void permute_run(Run& run) {
    move(run, permuted(*run.tensor("self"), *run.integers("dims")), *run.tensor("out"));
}

void repeat_rule(Call& call) {
    moved_rule(call, "self", kRepeatDoc);
    const Tensor &self = call.need("self"), &out = call.need("out");
    const std::vector<int64_t>* repeats = call.integers("repeats");
    call.require(repeats != nullptr, kNullPointer, "repeats is NULL", kRepeatDoc);
    call.require(repeats->size() >= self.dims.size() && repeats->size() <= 8, kInvalid, "repeats is shorter than self",
                 kRepeatDoc);
    Dims expected = *repeats;
    for (size_t i = 0; i < expected.size(); i++) {
        const size_t missing = expected.size() - self.dims.size();
        call.require(expected[i] >= 0, kInvalid, "a negative repeat", kRepeatDoc);
        expected[i] *= i < missing ? 1 : self.dims[i - missing];
    }
    same_dtype(call, self, out, kRepeatDoc);
    expect(call, out, expected, kRepeatDoc);
}

/** Splits every axis of out into (repeat, extent) and lets the repeats of self have stride 0. */
void repeat_run(Run& run) {
    const Tensor &self = *run.tensor("self"), &out = *run.tensor("out");
    const std::vector<int64_t>& repeats = *run.integers("repeats");
    Tensor from = self, to = out;
    from.dims.clear();
    from.strides.clear();
    to.dims.clear();
    to.strides.clear();
    const size_t missing = repeats.size() - self.dims.size();
    for (size_t i = 0; i < repeats.size(); i++) {
        const int64_t extent = i < missing ? 1 : self.dims[i - missing];
        from.dims.insert(from.dims.end(), {repeats[i], extent});
        from.strides.insert(from.strides.end(), {0, i < missing ? 0 : self.strides[i - missing]});
        to.dims.insert(to.dims.end(), {repeats[i], extent});
        to.strides.insert(to.strides.end(), {extent * out.strides[i], out.strides[i]});
    }
    move(run, from, to);
}

EMU_OP(cat, "aclnnCat", kCatDoc, cat_rule, cat_run, {}, true, true);
EMU_OP(split_size, "aclnnSplitWithSize", kSplitSizeDoc, split_size_rule, split_run, {}, true, true);
EMU_OP(split_tensor, "aclnnSplitTensor", kSplitDoc, split_tensor_rule, split_run, {}, true, true);
EMU_OP(slice, "aclnnSlice", kSliceDoc, slice_rule, slice_run, {}, true, true);
EMU_OP(permute, "aclnnPermute", kPermuteDoc, permute_rule, permute_run, {}, true, true);
EMU_OP(repeat, "aclnnRepeat", kRepeatDoc, repeat_rule, repeat_run, {}, true, true);

}  // namespace
}  // namespace emu

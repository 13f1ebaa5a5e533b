// Writing entries by index. Which of several writes to one place stays is not promised, so the order is shuffled.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kScatterDoc = "ops-nn docs aclnnScatter";
constexpr const char* kScatterNdDoc = "ops-nn docs aclnnScatterNd";
constexpr const char* kScatterNdUpdateDoc = "ops-nn docs aclnnScatterNdUpdate";
constexpr const char* kScatterUpdateDoc = "ops-nn docs aclnnInplaceScatterUpdate";
constexpr const char* kIndexCopyDoc = "ops-nn docs aclnnInplaceIndexCopy";

std::vector<size_t> shuffled(Run& run, size_t n) {
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), run.random());
    return order;
}

void target_rule(Call& call, const char* target, const char* index, const char* source, const char* cite,
                 DtypeList allowed = kNumbers) {
    const Tensor& t = call.need(target);
    call.need(index);
    call.need(source);
    call.dtypes(target, allowed, cite);
    call.dtypes(index, kIndices, cite);
    call.dtypes(source, {t.dtype}, cite);
    max_rank(call, target, 8, cite);
}

// ---- whole entries along an axis

void index_copy_rule(Call& call) {
    target_rule(call, "selfRef", "index", "source", kIndexCopyDoc);
    const Tensor &self = call.need("selfRef"), &index = call.need("index");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kIndexCopyDoc);
    call.require(index.rank() <= 1, kInvalid, "index is " + describe(index) + ", not one-dimensional", kIndexCopyDoc);
    Dims expected = self.dims;
    expected[static_cast<size_t>(axis)] = index.numel();
    same_shape(call, "source", expected, kIndexCopyDoc);
}

void index_copy_run(Run& run) {
    const Tensor &self = *run.tensor("selfRef"), &source = *run.tensor("source");
    const int axis = axis_of(run.integer("dim"), self.rank());
    const std::vector<int64_t> index = run.ints(*run.tensor("index"));
    for (size_t i : shuffled(run, index.size())) {
        const int64_t entry = checked_index(run, index[i], self.dim(axis), false, kIndexCopyDoc);
        move(run, at(source, axis, static_cast<int64_t>(i)), at(self, axis, entry));
    }
}

void scatter_update_rule(Call& call) {
    target_rule(call, "data", "indices", "updates", kScatterUpdateDoc);
    const Tensor &data = call.need("data"), &updates = call.need("updates"), &indices = call.need("indices");
    const int axis = axis_of(call, call.integer("axis"), data.rank(), kScatterUpdateDoc);
    call.require(axis > 0, kInvalid, "axis is the batch axis", kScatterUpdateDoc);
    call.require(data.rank() == updates.rank(), kInvalid, "data and updates differ in rank", kScatterUpdateDoc);
    call.require(indices.rank() == 1 || (indices.rank() == 2 && indices.dim(1) == 2), kInvalid,
                 "indices is " + describe(indices) + ", expected [B] or [B, 2]", kScatterUpdateDoc);
    call.require(indices.dim(0) == updates.dim(0), kInvalid, "indices and updates differ in batch", kScatterUpdateDoc);
    for (int i = 1; i < data.rank(); i++) {
        call.require(i == axis ? updates.dim(i) <= data.dim(i) : updates.dim(i) == data.dim(i), kInvalid,
                     "updates " + describe(updates) + " do not fit data " + describe(data), kScatterUpdateDoc);
    }
}

void scatter_update_run(Run& run) {
    const Tensor &data = *run.tensor("data"), &updates = *run.tensor("updates"), &indices = *run.tensor("indices");
    const int axis = axis_of(run.integer("axis"), data.rank());
    const std::vector<int64_t> index = run.ints(indices);
    const size_t width = indices.rank() == 2 ? 2 : 1;
    for (size_t b : shuffled(run, static_cast<size_t>(updates.dim(0)))) {
        const int64_t batch = checked_index(run, width == 2 ? index[2 * b] : static_cast<int64_t>(b), data.dim(0),
                                            false,
                                            kScatterUpdateDoc);
        const int64_t first = index[width * b + width - 1];
        const Tensor from = at(updates, 0, static_cast<int64_t>(b));
        Tensor to = at(data, 0, batch);
        checked_index(run, first, to.dim(axis - 1), false, kScatterUpdateDoc);
        checked_index(run, first + from.dim(axis - 1) - 1, to.dim(axis - 1), false, kScatterUpdateDoc);
        to.offset += first * to.strides[static_cast<size_t>(axis - 1)];
        to.dims = from.dims;
        move(run, from, to);
    }
}

// ---- by tuples

void tuples_rule(Call& call, const char* target, const char* cite, DtypeList allowed) {
    target_rule(call, target, "indices", "updates", cite, allowed);
    const Tensor &t = call.need(target), &indices = call.need("indices");
    call.require(indices.rank() > 0 && indices.dim(-1) > 0 && indices.dim(-1) <= t.rank(), kInvalid,
                 "indices is " + describe(indices) + " for " + describe(t), cite);
    Dims expected(indices.dims.begin(), indices.dims.end() - 1);
    expected.insert(expected.end(), t.dims.begin() + indices.dim(-1), t.dims.end());
    same_shape(call, "updates", expected, cite);
}

void update_tuples(Run& run, const Tensor& target, const char* cite) {
    const Tensor &indices = *run.tensor("indices"), &updates = *run.tensor("updates");
    const std::vector<int64_t> tuples = run.ints(indices), values = run.ints(bits_of(updates));
    const auto width = static_cast<size_t>(indices.dim(-1));
    const size_t entries = tuples.size() / width;
    const size_t size = entries == 0 ? 0 : values.size() / entries;
    for (size_t e : shuffled(run, entries)) {
        Tensor entry = target;
        for (size_t i = 0; i < width; i++) {
            entry = at(entry, 0, checked_index(run, tuples[e * width + i], entry.dims[0], false, cite));
        }
        const auto first = values.begin() + static_cast<int64_t>(e * size);
        run.store(bits_of(entry), std::vector<int64_t>(first, first + static_cast<int64_t>(size)));
    }
}

void scatter_nd_update_rule(Call& call) {
    tuples_rule(call, "varRef", kScatterNdUpdateDoc,
                {ACL_FLOAT16, ACL_BF16, ACL_FLOAT, ACL_INT64, ACL_BOOL, ACL_INT8});
    call.require(call.need("indices").rank() >= 2, kInvalid, "indices has one dimension, expected two or more",
                 kScatterNdUpdateDoc);
}

void scatter_nd_update_run(Run& run) {
    update_tuples(run, *run.tensor("varRef"), kScatterNdUpdateDoc);
}

void scatter_nd_rule(Call& call) {
    tuples_rule(call, "data", kScatterNdDoc, kNumbers);
    call.need("out");
    call.dtypes("out", {call.need("data").dtype}, kScatterNdDoc);
    same_shape(call, "out", call.need("data").dims, kScatterNdDoc);
}

void scatter_nd_run(Run& run) {
    move(run, *run.tensor("data"), *run.tensor("out"));
    update_tuples(run, *run.tensor("out"), kScatterNdDoc);
}

// ---- element by element

enum Reduction : int64_t { kReplace = 0, kAddTo = 1, kMultiply = 2 };

void elements_rule(Call& call, const char* target) {
    target_rule(call, target, "index", "src", kScatterDoc);
    const Tensor &self = call.need(target), &index = call.need("index"), &src = call.need("src");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kScatterDoc);
    call.require(self.rank() == index.rank() && self.rank() == src.rank(), kInvalid, "ranks differ", kScatterDoc);
    for (int i = 0; i < self.rank(); i++) {
        call.require(index.dim(i) <= src.dim(i) && (i == axis || index.dim(i) <= self.dim(i)), kInvalid,
                     "index " + describe(index) + " exceeds src " + describe(src) + " or self " + describe(self),
                     kScatterDoc);
    }
    const int64_t reduce = call.integer("reduce");
    call.require(reduce >= kReplace && reduce <= kMultiply, kInvalid, "reduce " + std::to_string(reduce), kScatterDoc);
}

/** Element numbers in `self` and `src` that each element of index connects. */
struct Connection {
    size_t target, source;
};

std::vector<Connection> connections(Run& run, const Tensor& self, const Tensor& src) {
    const Tensor& index = *run.tensor("index");
    const auto axis = static_cast<size_t>(axis_of(run.integer("dim"), self.rank()));
    const std::vector<int64_t> positions = run.ints(index);
    const Dims walk = dense_strides(index.dims), to = dense_strides(self.dims), from = dense_strides(src.dims);
    std::vector<Connection> all;
    for (size_t element : shuffled(run, positions.size())) {
        int64_t rest = static_cast<int64_t>(element), target = 0, source = 0;
        for (size_t i = 0; i < walk.size(); i++) {
            const int64_t here = rest / walk[i];
            rest %= walk[i];
            source += here * from[i];
            target += to[i] * (i == axis ? checked_index(run, positions[element], self.dims[i], false,
                                                         kScatterDoc) : here);
        }
        all.push_back({static_cast<size_t>(target), static_cast<size_t>(source)});
    }
    return all;
}

void scatter_elements(Run& run, const Tensor& self, const Tensor& out) {
    const Tensor& src = *run.tensor("src");
    const int64_t reduce = run.integer("reduce");
    if (reduce == kReplace) {
        std::vector<int64_t> values = run.ints(bits_of(self));
        const std::vector<int64_t> from = run.ints(bits_of(src));
        for (const Connection& c : connections(run, self, src)) {
            values[c.target] = from[c.source];
        }
        run.store(bits_of(out), values);
        return;
    }
    std::vector<float> values = run.floats(self);
    const std::vector<float> from = run.floats(src);
    for (const Connection& c : connections(run, self, src)) {
        values[c.target] = reduce == kAddTo ? values[c.target] + from[c.source] : values[c.target] * from[c.source];
    }
    run.store(out, values);
}

void inplace_scatter_rule(Call& call) {
    elements_rule(call, "selfRef");
}

void inplace_scatter_run(Run& run) {
    scatter_elements(run, *run.tensor("selfRef"), *run.tensor("selfRef"));
}

void scatter_rule(Call& call) {
    elements_rule(call, "self");
    call.need("out");
    call.dtypes("out", {call.need("self").dtype}, kScatterDoc);
    same_shape(call, "out", call.need("self").dims, kScatterDoc);
}

void scatter_run(Run& run) {
    scatter_elements(run, *run.tensor("self"), *run.tensor("out"));
}

EMU_OP(index_copy, "aclnnInplaceIndexCopy", kIndexCopyDoc, index_copy_rule, index_copy_run, {}, true, true);
EMU_OP(scatter_update, "aclnnInplaceScatterUpdate", kScatterUpdateDoc, scatter_update_rule, scatter_update_run, {},
       true, true);
EMU_OP(scatter_nd_update, "aclnnScatterNdUpdate", kScatterNdUpdateDoc, scatter_nd_update_rule, scatter_nd_update_run,
       {},
       true, true);
EMU_OP(scatter_nd, "aclnnScatterNd", kScatterNdDoc, scatter_nd_rule, scatter_nd_run, {}, true, true);
EMU_OP(scatter, "aclnnScatter", kScatterDoc, scatter_rule, scatter_run, {}, true, true);
EMU_OP(inplace_scatter, "aclnnInplaceScatter", kScatterDoc, inplace_scatter_rule, inplace_scatter_run, {}, true, true);

}  // namespace
}  // namespace emu

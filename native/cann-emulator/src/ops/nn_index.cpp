// Advanced indexing: one index tensor per leading axis, an empty one for an axis that stays whole.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kIndexDoc = "ops-nn docs aclnnIndex";
constexpr const char* kPutDoc = "ops-nn docs aclnnIndexPutImpl";
constexpr const char* kFillDoc = "ops-nn docs aclnnInplaceMaskedFillTensor";

struct Plan {
    std::vector<int> axes;  // indexed axes of self
    Dims points;            // common shape of the index tensors
    int place = 0;          // where those axes stand in the result
    Dims result;
};

Plan plan_of(const Tensor& self, const std::vector<Tensor>& indices) {
    Plan p;
    for (size_t i = 0; i < indices.size(); i++) {
        if (indices[i].numel() == 0) {
            continue;
        }
        p.axes.push_back(static_cast<int>(i));
        const size_t rank = std::max(p.points.size(), indices[i].dims.size());
        p.points.insert(p.points.begin(), rank - p.points.size(), 1);
        for (size_t d = 0; d < indices[i].dims.size(); d++) {
            int64_t& extent = p.points[rank - indices[i].dims.size() + d];
            extent = extent == 1 ? indices[i].dims[d] : extent;
        }
    }
    const bool adjacent = !p.axes.empty() && p.axes.back() - p.axes.front() + 1 == static_cast<int>(p.axes.size());
    for (int i = 0; i < self.rank(); i++) {
        if (std::count(p.axes.begin(), p.axes.end(), i) == 0) {
            p.result.push_back(self.dim(i));
        }
    }
    p.place = adjacent ? p.axes.front() : 0;
    p.result.insert(p.result.begin() + p.place, p.points.begin(), p.points.end());
    return p;
}

Plan index_rule_common(Call& call, const char* self_name, const char* cite) {
    const Tensor& self = call.need(self_name);
    call.dtypes(self_name, kNumbers, cite);
    max_rank(call, self_name, 8, cite);
    const std::vector<Tensor>* indices = call.list("indices");
    call.require(indices != nullptr, kNullPointer, "indices is NULL", cite);
    call.require(!indices->empty() && static_cast<int>(indices->size()) <= self.rank(), kInvalid,
                 std::to_string(indices->size()) + " index tensors for " + describe(self), cite);
    for (const Tensor& t : *indices) {
        call.require(t.dtype != ACL_BOOL && t.dtype != ACL_UINT8, kNoKernel,
                     "EMULATOR: masks as indices are not played", cite);
        call.require(t.numel() == 0 || t.dtype == ACL_INT32 || t.dtype == ACL_INT64, kInvalid,
                     "an index is " + describe(t), cite);
    }
    const Plan p = plan_of(self, *indices);
    for (int axis : p.axes) {
        const Tensor& t = (*indices)[static_cast<size_t>(axis)];
        Tensor points = t;
        points.dims = p.points;
        call.require(broadcast(call, t, points, cite) == p.points, kInvalid, "the indices do not broadcast", cite);
    }
    return p;
}

/** Calls body(entry of self, number of the point) for every point, in random order. */
template <typename Body>
void each_point(Run& run, const Tensor& self, const Plan& p, const char* cite, Body body) {
    std::vector<std::vector<int64_t>> positions;
    for (int axis : p.axes) {
        positions.push_back(run.ints(expand((*run.list("indices"))[static_cast<size_t>(axis)], p.points)));
    }
    std::vector<size_t> order(positions.empty() ? 1 : positions[0].size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), run.random());
    for (size_t point : order) {
        Tensor entry = self;
        for (size_t i = p.axes.size(); i-- > 0;) {  // from the last axis, so that the others keep their numbers
            entry = at(entry, p.axes[i], checked_index(run, positions[i][point], self.dim(p.axes[i]), true, cite));
        }
        body(entry, static_cast<int64_t>(point));
    }
}

/** The part of a tensor of the result's shape that belongs to one point. */
Tensor at_point(Tensor t, const Plan& p, int64_t point) {
    for (size_t i = p.points.size(); i-- > 0;) {
        t = at(t, p.place + static_cast<int>(i), point % p.points[i]);
        point /= p.points[i];
    }
    return t;
}

void index_rule(Call& call) {
    const Plan p = index_rule_common(call, "self", kIndexDoc);
    call.need("out");
    call.dtypes("out", {call.need("self").dtype}, kIndexDoc);
    call.shape("out", p.result, kIndexDoc);
}

void index_run(Run& run) {
    const Tensor &self = *run.tensor("self"), &out = *run.tensor("out");
    const Plan p = plan_of(self, *run.list("indices"));
    each_point(run, self, p, kIndexDoc,
               [&](const Tensor& entry, int64_t point) { move(run, entry, at_point(out, p, point)); });
}

void put_rule(Call& call) {
    const Plan p = index_rule_common(call, "selfRef", kPutDoc);
    const Tensor& values = call.need("values");
    call.dtypes("values", {call.need("selfRef").dtype}, kPutDoc);
    Tensor result = values;
    result.dims = p.result;
    call.require(broadcast(call, values, result, kPutDoc) == p.result, kInvalid,
                 describe(values) + " does not broadcast to " + describe(result), kPutDoc);
}

void put_run(Run& run) {
    const Tensor& self = *run.tensor("selfRef");
    const Plan p = plan_of(self, *run.list("indices"));
    const Tensor values = expand(*run.tensor("values"), p.result);
    each_point(run, self, p, kPutDoc, [&](const Tensor& entry, int64_t point) {
        const Tensor from = at_point(values, p, point);
        if (!run.flag("accumulate")) {
            move(run, from, entry);
            return;
        }
        std::vector<float> sums = run.floats(entry);
        const std::vector<float> more = run.floats(from);
        for (size_t i = 0; i < sums.size(); i++) {
            sums[i] += more[i];
        }
        run.store(entry, sums);
    });
}

// ---- by mask

void masked_rule(Call& call) {
    const Tensor &self = call.need("selfRef"), &mask = call.need("mask"), &value = call.need("value");
    call.dtypes("selfRef", kNumbers, kFillDoc);
    call.dtypes("mask", {ACL_BOOL}, kFillDoc);
    call.dtypes("value", {self.dtype}, kFillDoc);
    call.require(value.numel() == 1, kInvalid, "value is not one element", kFillDoc);
    call.require(broadcast(call, self, mask, kFillDoc) == self.dims, kInvalid, "mask does not broadcast to selfRef",
                 kFillDoc);
}

void masked_run(Run& run) {
    const Tensor& self = *run.tensor("selfRef");
    std::vector<int64_t> bits = run.ints(bits_of(self));
    const std::vector<int64_t> mask = run.ints(expand(*run.tensor("mask"), self.dims));
    const int64_t value = run.ints(bits_of(*run.tensor("value")))[0];
    for (size_t i = 0; i < bits.size(); i++) {
        bits[i] = mask[i] ? value : bits[i];
    }
    run.store(bits_of(self), bits);
}

EMU_OP(index, "aclnnIndex", kIndexDoc, index_rule, index_run, {}, true, true);
EMU_OP(put, "aclnnIndexPutImpl", kPutDoc, put_rule, put_run, {}, true, true);
EMU_OP(masked, "aclnnInplaceMaskedFillTensor", kFillDoc, masked_rule, masked_run, {}, true, true);

}  // namespace
}  // namespace emu

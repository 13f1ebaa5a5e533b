// Gated activations: one axis holds a gate and a value.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kSwiGluDoc = "ops-nn docs aclnnSwiGlu";
constexpr const char* kClippedDoc = "ops-nn docs aclnnClippedSwiglu";

int halved_rule(Call& call, const char* cite) {
    const Tensor& x = call.need("x");
    call.dtypes("x", kFloats, cite);
    call.require(x.rank() > 0, kInvalid, "x has no axis", cite);
    max_rank(call, "x", 8, cite);
    const int axis = axis_of(call, call.integer("dim"), x.rank(), cite);
    call.require(x.dim(axis) % 2 == 0, kInvalid, "the split axis of " + describe(x) + " is odd", cite);
    call.need("out");
    call.dtypes("out", {x.dtype}, cite);
    Dims expected = x.dims;
    expected[static_cast<size_t>(axis)] /= 2;
    same_shape(call, "out", expected, cite);
    return axis;
}

Tensor half(const Tensor& x, int axis, bool interleaved, int which) {
    Tensor view = x;
    const auto a = static_cast<size_t>(axis);
    view.dims[a] /= 2;
    view.offset += which * x.strides[a] * (interleaved ? 1 : view.dims[a]);
    view.strides[a] *= interleaved ? 2 : 1;
    return view;
}

void swiglu_rule(Call& call) {
    halved_rule(call, kSwiGluDoc);
}

void swiglu_run(Run& run) {
    const Tensor& x = *run.tensor("x");
    const int axis = axis_of(run.integer("dim"), x.rank());
    std::vector<float> gate = run.floats(half(x, axis, false, 0));
    const std::vector<float> value = run.floats(half(x, axis, false, 1));
    for (size_t i = 0; i < gate.size(); i++) {
        gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * value[i];
    }
    run.store(*run.tensor("out"), gate);
}

void clipped_rule(Call& call) {
    const int axis = halved_rule(call, kClippedDoc);
    const Tensor* groups = call.tensor("groupIndexOptional");
    if (groups != nullptr) {
        call.dtypes("groupIndexOptional", {ACL_INT64}, kClippedDoc);
        call.require(groups->rank() == 1, kInvalid, "groupIndexOptional is not one-dimensional", kClippedDoc);
        call.require(axis > 0, kInvalid, "groups of rows with a split of the rows", kClippedDoc);
    }
}

/** Rows beyond the sum of the group counts are not written. */
void clipped_run(Run& run) {
    Tensor x = *run.tensor("x"), out = *run.tensor("out");
    const int axis = axis_of(run.integer("dim"), x.rank());
    if (const Tensor* groups = run.tensor("groupIndexOptional")) {
        int64_t rows = 0;
        for (int64_t count : run.ints(*groups)) {
            rows += count;
        }
        x.dims[0] = out.dims[0] = std::min(rows, x.dims[0]);
    }
    const auto alpha = static_cast<float>(run.real("alpha")), limit = static_cast<float>(run.real("limit")),
               bias = static_cast<float>(run.real("bias"));
    std::vector<float> gate = run.floats(half(x, axis, run.flag("interleaved"), 0));
    const std::vector<float> value = run.floats(half(x, axis, run.flag("interleaved"), 1));
    for (size_t i = 0; i < gate.size(); i++) {
        const float g = std::min(gate[i], limit), v = std::clamp(value[i], -limit, limit);
        gate[i] = g / (1.0F + std::exp(-alpha * g)) * (v + bias);
    }
    run.store(out, gate);
}

EMU_OP(swiglu, "aclnnSwiGlu", kSwiGluDoc, swiglu_rule, swiglu_run, {"out"}, true, true);
EMU_OP(clipped, "aclnnClippedSwiglu", kClippedDoc, clipped_rule, clipped_run, {"out"});

}  // namespace
}  // namespace emu

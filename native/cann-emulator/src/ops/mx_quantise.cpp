#include "mx_quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "mx.h"
#include "quantise.h"
#include "rows.h"

namespace emu {

Dims mx_scale_shape(const Dims& x, int axis) {
    Dims shape = x;
    shape[static_cast<size_t>(axis)] = mx_pairs(x[static_cast<size_t>(axis)]);
    shape.push_back(2);
    return shape;
}

void mx_rule(Call& call, const Dims& x, int axis, const char* y, const char* scales, const char* round_mode,
             ScaleRule rule, double largest, const char* cite) {
    call.require(is950(call), kPlatform, "the operator exists on the 950 only", cite);
    const Tensor& out = call.need(y);
    call.need(scales);
    call.dtypes(y, {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT4_E2M1, ACL_FLOAT4_E1M2}, cite);
    call.dtypes(scales, {ACL_FLOAT8_E8M0}, cite);
    call.require(call.integer("dstType") == out.dtype, kInvalid, std::string("dstType differs from that of ") + y,
                 cite);
    call.shape(y, x, cite);
    call.shape(scales, mx_scale_shape(x, axis), cite);
    const bool fp4 = dtype_bits(out.dtype) == 4;
    call.require(!fp4 || x.back() % 2 == 0, kInvalid, "FP4 with an odd last axis", cite);
    const std::string mode = call.text(round_mode);
    call.require(mode.empty() || mode == "rint" || (fp4 && (mode == "floor" || mode == "round")), kInvalid,
                 "round mode \"" + mode + "\"", cite);
    call.require(mode.empty() || mode == "rint", kNoKernel, "EMULATOR: round mode \"" + mode + "\" is not played",
                 cite);
    const bool ranged = rule == ScaleRule::ranged && out.dtype == ACL_FLOAT4_E2M1;
    call.require(rule == ScaleRule::ocp || ranged || (rule == ScaleRule::round_up && !fp4), kInvalid,
                 "scaleAlg " + std::to_string(static_cast<int64_t>(rule)) + " for " + describe(out), cite);
    call.require(largest == 0 || (rule == ScaleRule::ranged && largest >= 6 && largest <= 12), kInvalid,
                 "dstTypeMax " + std::to_string(largest), cite);
}

namespace {

float block_scale(const std::vector<float>& block, const MxTarget& target) {
    const float amax = std::max(largest_magnitude(block.data(), static_cast<int64_t>(block.size())),
                                static_cast<float>(target.low_bound));
    if (target.rule == ScaleRule::ocp || amax == 0) {
        return mx_scale(amax, target.dtype);
    }
    return power_scale(amax, target.largest > 0 ? static_cast<float>(target.largest) : largest(target.dtype));
}

bool all_finite(const std::vector<float>& block) {
    return std::all_of(block.begin(), block.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

void mx_store(Run& run, std::vector<float> values, const Dims& dims, int axis, const MxTarget& target, const Tensor& y,
              const Tensor& scales) {
    const Around shape(dims, axis);
    const int64_t per_line = 2 * mx_pairs(shape.extent);
    const Around pairs(mx_scale_shape(dims, axis), axis);  // [outer, pairs, inner * 2]
    std::vector<int64_t> codes(static_cast<size_t>(shape.outer * per_line * shape.inner), 0);
    std::vector<float> block;
    for (int64_t o = 0; o < shape.outer; o++) {
        for (int64_t i = 0; i < shape.inner; i++) {
            for (int64_t b = 0; b * kMxBlock < shape.extent; b++) {
                const int64_t last = std::min(shape.extent, (b + 1) * kMxBlock);
                const auto element = [&](int64_t e) -> float& {
                    return values[static_cast<size_t>((o * shape.extent + e) * shape.inner + i)];
                };
                block.clear();
                for (int64_t e = b * kMxBlock; e < last; e++) {
                    block.push_back(element(e));
                }
                const bool finite = all_finite(block);
                const float scale = finite ? block_scale(block, target) : std::numeric_limits<float>::quiet_NaN();
                for (int64_t e = b * kMxBlock; e < last; e++) {
                    element(e) /= scale;
                }
                const auto at = static_cast<size_t>(((o * pairs.extent + b / 2) * shape.inner + i) * 2 + b % 2);
                codes[at] = finite ? std::ilogb(scale) + 127 : 0xFF;
            }
        }
    }
    run.store(y, values);
    run.store(bits_of(scales), codes);
}

}  // namespace emu

#include "quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rows.h"

namespace emu {

float largest_magnitude(const float* values, int64_t n) {
    float amax = 0;
    for (int64_t i = 0; i < n; i++) {
        amax = std::fmax(amax, std::fabs(values[i]));
    }
    return amax;
}

float mx_scale(float amax, aclDataType target) {
    if (amax == 0) {
        return std::ldexp(1.0F, -127);
    }
    return std::ldexp(1.0F, std::clamp(floor_log2(amax) - floor_log2(largest(target)), -127, 127));
}

float power_scale(float amax, float max) {
    const float ratio = plain_scale(amax, max);
    return std::ldexp(1.0F, std::clamp(ceil_log2(ratio), -126, 127));
}

float plain_scale(float amax, float max) {
    // a block of zeros: any scale gives zeros, this one keeps the division defined
    return std::fmax(amax / max, std::numeric_limits<float>::min());
}

void divide_by(const float* values, int64_t n, float scale, float* out) {
    for (int64_t i = 0; i < n; i++) {
        out[i] = values[i] / scale;
    }
}

}  // namespace emu

// Dynamic quantisation of one block: the scale rules of the CANN quantisers and the scaled values.
#ifndef EMU_OPS_QUANTISE_H
#define EMU_OPS_QUANTISE_H

#include <cstdint>

#include "../op.h"

namespace emu {

float largest_magnitude(const float* values, int64_t n);

/** MX block scale by the OCP rule: 2^(floor(log2 amax) - emax), emax of the target; within E8M0's range. */
float mx_scale(float amax, aclDataType target);

/** amax/max rounded up to a power of two ("round scale"). */
float power_scale(float amax, float max);

/** amax/max as it is. */
float plain_scale(float amax, float max);

/** out[i] = values[i]/scale; storing rounds to nearest even and saturates. */
void divide_by(const float* values, int64_t n, float scale, float* out);

}  // namespace emu

#endif

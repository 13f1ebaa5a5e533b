// Reading single rows of a device tensor as floats, for kernels that touch a small part of a large tensor, and the
// rounding steps of quantisers.
#ifndef EMU_OPS_ROWS_H
#define EMU_OPS_ROWS_H

#include <cstdint>
#include <vector>

#include "../op.h"

namespace emu {

/** Decodes elements index, index+stride, .. counted from `base` into floats. */
void decode_row(const void* base, aclDataType dtype, int64_t index, int64_t stride, int64_t count, float* out);

/** Run::floats with a fast path for tensors without gaps. */
std::vector<float> dense_floats(Run& run, const Tensor& tensor);

/** The value a store in this format and a later load would give. */
float rounded(aclDataType dtype, float value);

/** The code of a one-byte or four-bit format; four bits are in the low half. */
uint8_t code_of(aclDataType dtype, float value);

/** Largest finite value of a quantiser's target. */
float largest(aclDataType dtype);

/** Largest e with 2^e <= value, for a positive finite value. */
int floor_log2(float value);
/** Smallest e with 2^e >= value, for a positive finite value. */
int ceil_log2(float value);

}  // namespace emu

#endif

// Inner products fast enough for a few thousand lanes: the compiler may not reorder a plain float sum, so the order that
// vectorises is written down.
#ifndef EMU_OPS_BLOCKED_H
#define EMU_OPS_BLOCKED_H

#include <cstdint>

namespace emu {

/** F32 sum of a[i]*b[i] in 16 interleaved partial sums, added pairwise at the end. */
float dot(const float* a, const float* b, int64_t n);

/** Exact sum of products of whole numbers of eight bits or fewer held in floats. */
int32_t dot_integers(const float* a, const float* b, int64_t n);

/** y[i] += scale * x[i]. */
void add_scaled(float* y, float scale, const float* x, int64_t n);

}  // namespace emu

#endif

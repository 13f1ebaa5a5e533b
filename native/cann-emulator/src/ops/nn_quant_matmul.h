// One quantised product y = (x1, scales) x (x2, scales): the modes of QuantMatmulV5 and their documented limits.
#ifndef EMU_OPS_NN_QUANT_MATMUL_H
#define EMU_OPS_NN_QUANT_MATMUL_H

#include "gemm.h"
#include "support.h"

namespace emu::quant_matmul {

enum class Mode {
    per_channel,  // K-C: a scale per row of x1 (or one, or none) and per column of x2 (or one)
    blocks,       // G-B and B-B: F32 scales per 128 elements of k and 128 columns
    mx,           // E8M0 scales per 32 elements of k, FP8 x FP8 or FP4 x FP4
    mx_a8w4,      // the same with FP8 x FP4
};

struct Problem {
    Mode mode;
    Tensor x1, x2;  // [m, k] and [k, n] whatever the transposition flags
    int64_t m, n, k;
};

/** Refuses with the document's rule, or returns. */
void rule(Call& call, const char* cite, bool fractal);
Problem problem(const Arguments& a);

/** groupSize: k in the low 16 bits, then n, then m. */
struct GroupSize {
    int64_t k, n, m;
    explicit GroupSize(int64_t packed) : k(packed & 0xFFFF), n(packed >> 16 & 0xFFFF), m(packed >> 32 & 0xFFFF) {}
};

}  // namespace emu::quant_matmul

#endif

// Matrix products in F32, quick enough for the weights of a real model on one core.
#ifndef EMU_OPS_GEMM_H
#define EMU_OPS_GEMM_H

#include <cstdint>
#include <functional>
#include <vector>

#include "support.h"

namespace emu {

/** How the partial sums of a product are weighted. */
struct Weighting {
    int64_t block = 0;  // elements of the inner dimension per partial sum; 0: one sum over all of it
    /** Factor of a partial sum: row of a, block of the inner dimension, column of b. */
    std::function<float(int64_t row, int64_t block, int64_t column)> factor;
    bool exact = false;  // keep the total of the blocks wider than F32: integer products
};

/** Changes one column of b, all its `k` elements, after decoding. */
using ColumnEdit = std::function<void(int64_t column, float* values)>;

/**
 * a [m, k] (dense floats) times b, a [k, n] tensor of any strides or fractal storage: [m, n].
 * Sums are F32; blocks of the inner dimension come in random order under `jitter`.
 */
std::vector<float> multiply(Run& run, const std::vector<float>& a, int64_t m, const Tensor& b,
                            const Weighting& weighting = {}, const ColumnEdit& edit = nullptr);

/** View of matrix number `batch` of a tensor [.., rows, columns]; not for fractal storage. */
Tensor matrix_of(const Tensor& t, int64_t batch);

}  // namespace emu

#endif

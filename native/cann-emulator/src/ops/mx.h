// Shared scales of the MX formats: one power of two (E8M0) per 32 elements, stored in pairs.
#ifndef EMU_OPS_MX_H
#define EMU_OPS_MX_H

#include <cstdint>
#include <vector>

#include "support.h"

namespace emu {

constexpr int64_t kMxBlock = 32;

/** Pairs of blocks along an axis of k elements: the last axis of a scale tensor is 2. */
inline int64_t mx_pairs(int64_t k) {
    return (k + 2 * kMxBlock - 1) / (2 * kMxBlock);
}

/** Multiplies row `row` of [rows][k] values by its scales; exact, since scales are powers of two. */
class MxScales {
  public:
    /** `scales` is [rows, pairs, 2] in any strides. */
    MxScales(Run& run, const Tensor& scales) : values_(run.floats(scales)), per_row_(scales.dim(-2) * 2) {}

    void apply(int64_t row, float* values, int64_t k) const {
        for (int64_t i = 0; i < k; i++) {
            values[i] *= values_[static_cast<size_t>(row * per_row_ + i / kMxBlock)];
        }
    }

  private:
    std::vector<float> values_;
    int64_t per_row_;
};

/** [a, b, 2] seen as [b, a, 2]: the scales of an operand that is not transposed. */
inline Tensor mx_rows_first(Tensor scales) {
    std::swap(scales.dims[0], scales.dims[1]);
    std::swap(scales.strides[0], scales.strides[1]);
    return scales;
}

}  // namespace emu

#endif

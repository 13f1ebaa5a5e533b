// The weight of one group of a grouped matmul, decoded a few output columns at a time.
#ifndef EMU_OPS_GROUPED_WEIGHTS_H
#define EMU_OPS_GROUPED_WEIGHTS_H

#include <cstdint>
#include <vector>

#include "../op.h"

namespace emu {

/** Whether the last two axes are swapped by strides; a fractal tensor keeps the strides of its logical view. */
bool transposed_weight(const Tensor& weight);

/** Columns of [K, N] matrices: one 3-D tensor, or one 2-D tensor a group; ND or fractal storage. */
class GroupedWeights {
  public:
    static constexpr int64_t kColumns = 64;  // a multiple of every fractal block width

    GroupedWeights(Run& run, const std::vector<Tensor>& weights);

    int64_t groups() const;
    int64_t k() const { return first().dim(-2); }
    int64_t n() const { return first().dim(-1); }

    /** Writes columns [column, column+count) of a group as count rows of K floats. */
    void columns(int64_t group, int64_t column, int64_t count, float* out) const;

  private:
    const Tensor& first() const { return weights_.front(); }
    void fractal_columns(const void* base, int64_t start, const Tensor& w, int64_t column, int64_t count,
                         float* out) const;

    const std::vector<Tensor>& weights_;
    std::vector<const void*> bases_;
};

}  // namespace emu

#endif

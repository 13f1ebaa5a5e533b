// The product of one group's rows with its weight, for all scenarios. F32 sums; MX scales are powers of two and are
// multiplied into the values without rounding; FP8 128x128 blocks are scaled after the partial sum of each 128 of K.
#ifndef EMU_OPS_GROUPED_MULTIPLY_H
#define EMU_OPS_GROUPED_MULTIPLY_H

#include <cstdint>
#include <optional>
#include <vector>

#include "grouped_matmul.h"
#include "grouped_weights.h"

namespace emu::grouped {

/** Operands of a grouped product, whatever an operator calls them; null: absent. */
struct Operands {
    Scenario scenario;
    const Tensor* x;
    const std::vector<Tensor>* weight;
    const std::vector<Tensor>* scale;  // of the weight
    const Tensor* token;               // scale of x
    const std::vector<Tensor>* bias;
};

/** Scale of a weight block by (group, block along K, column or column block), whatever view it was passed as. */
class WeightScales {
  public:
    /**
     * `pairs`: E8M0 [.., K/64, N, 2], else [.., K blocks, N blocks]; a dense scale of a transposed weight has the first
     * two exchanged. One tensor for all groups or one a group.
     */
    WeightScales(Run& run, const std::vector<Tensor>& scales, bool transposed, bool pairs, int64_t n_blocks);
    float at(int64_t group, int64_t k_block, int64_t n) const;

  private:
    const std::vector<Tensor>& scales_;
    std::vector<const void*> bases_;
    bool pairs_, single_;
    int64_t k_stride_, n_stride_;
};

/** x as floats; MX scales already multiplied in. */
class Left {
  public:
    Left(Run& run, const Operands& o);
    const float* row(int64_t r) const { return &values_[static_cast<size_t>(r * k_)]; }
    float scale(int64_t row, int64_t block) const {
        return scales_.empty() ? 1.0F : scales_[static_cast<size_t>(row * per_row_ + block)];
    }

  private:
    std::vector<float> values_, scales_;
    int64_t k_, per_row_ = 1;
};

class Multiply {
  public:
    Multiply(Run& run, const Operands& o);
    int64_t groups() const { return weights_.groups(); }
    int64_t n() const { return n_; }
    /** [rows of the group, N]. */
    std::vector<float> rows(const Group& g) const;

  private:
    bool mx() const { return scenario_ == Scenario::kMx || scenario_ == Scenario::kMxA8W4; }
    void scale_columns(int64_t group, int64_t column, int64_t count, float* block) const;
    float element(const Group& g, int64_t row, int64_t n, const float* w) const;

    Scenario scenario_;
    GroupedWeights weights_;
    Left left_;
    int64_t k_, n_;
    std::vector<float> channel_, bias_;
    std::optional<WeightScales> scales_;
};

/** The rows of a group in a tensor with one row per row of x. */
Tensor rows_of(const Tensor& t, const Group& g);

}  // namespace emu::grouped

#endif

// aclnnGroupedMatmulV4, V5 and WeightNz. F32 sums; MX scales are powers of two and are multiplied into the values
// without rounding; FP8 128x128 blocks are scaled after the partial sum of each 128 of K. Rows after the last group
// are not written.
#include "grouped_matmul.h"

#include <algorithm>

#include "blocked.h"
#include "checks.h"
#include "grouped_weights.h"
#include "rows.h"

namespace emu {

namespace grouped {

WeightScales::WeightScales(Run& run, const std::vector<Tensor>& scales, bool transposed, bool pairs, int64_t n_blocks)
    : scales_(scales), pairs_(pairs) {
    const Tensor& s = scales.front();
    const size_t last = pairs ? 3 : 2;
    const size_t k_axis = s.dims.size() - last;
    single_ = s.dims.size() > last;
    const bool swapped = transposed && s.contiguous() && s.dims[k_axis] == n_blocks;
    k_stride_ = s.strides[swapped ? k_axis + 1 : k_axis];
    n_stride_ = s.strides[swapped ? k_axis : k_axis + 1];
    for (const Tensor& scale : scales) {
        bases_.push_back(run.raw(scale));
    }
}

float WeightScales::at(int64_t group, int64_t k_block, int64_t n) const {
    const auto index = static_cast<size_t>(single_ ? 0 : group);
    const Tensor& s = scales_[index];
    int64_t element = (single_ ? group * s.strides[0] : 0) + n * n_stride_;
    element += pairs_ ? k_block / 2 * k_stride_ + k_block % 2 * s.strides.back() : k_block * k_stride_;
    float value;
    decode_row(bases_[index], s.dtype, element, 1, 1, &value);
    return value;
}

namespace {

const Tensor& single(const Arguments& a, const char* list) {
    return a.list(list)->front();
}

const Tensor* optional(const Arguments& a, const char* list) {
    const std::vector<Tensor>* tensors = present_list(a, list);
    return tensors == nullptr ? nullptr : &tensors->front();
}

/** x of one call as floats; MX scales already multiplied in. */
class Left {
  public:
    Left(Run& run, Scenario scenario) : values_(dense_floats(run, single(run, "x"))), k_(single(run, "x").dim(1)) {
        if (const Tensor* token = optional(run, "perTokenScaleOptional")) {
            scales_ = run.floats(*token);
            per_row_ = token->rank() == 1 ? 1 : token->numel() / token->dim(0);
        }
        if (scenario == Scenario::kMx || scenario == Scenario::kMxA8W4) {
            for (size_t i = 0; i < values_.size(); i++) {
                const auto row = static_cast<int64_t>(i) / k_;
                values_[i] *= scale(row, static_cast<int64_t>(i) % k_ / kMxBlock);
            }
        }
    }

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
    explicit Multiply(Run& run)
        : run_(run),
          scenario_(scenario(run)),
          weights_(run, *run.list("weight")),
          left_(run, scenario_),
          k_(weights_.k()),
          n_(weights_.n()) {
        const char* name = scenario_ == Scenario::kMxA8W4 ? "antiquantScaleOptional" : "scaleOptional";
        if (scenario_ == Scenario::kInt8) {
            channel_ = run.floats(single(run, name));
        } else if (scenario_ != Scenario::kPlain) {
            const bool pairs = scenario_ != Scenario::kGroupBlock;
            scales_.emplace_back(run, *run.list(name), transposed_weight(single(run, "weight")), pairs,
                                 pairs ? n_ : ceil_div(n_, kTileBlock));
        }
        if (const std::vector<Tensor>* bias = present_list(run, "biasOptional")) {
            for (const Tensor& b : *bias) {
                const std::vector<float> values = run.floats(b);
                bias_.insert(bias_.end(), values.begin(), values.end());
            }
        }
    }

    void group(const Group& g) {
        std::vector<float> block(static_cast<size_t>(GroupedWeights::kColumns * k_));
        std::vector<float> out(static_cast<size_t>(g.rows * n_));
        for (int64_t column = 0; column < n_; column += GroupedWeights::kColumns) {
            const int64_t count = std::min(GroupedWeights::kColumns, n_ - column);
            weights_.columns(g.index, column, count, block.data());
            if (scenario_ == Scenario::kMx || scenario_ == Scenario::kMxA8W4) {
                scale_columns(g.index, column, count, block.data());
            }
            for (int64_t r = 0; r < g.rows; r++) {
                for (int64_t j = 0; j < count; j++) {
                    out[static_cast<size_t>(r * n_ + column + j)] =
                        element(g, g.start + r, column + j, &block[static_cast<size_t>(j * k_)]);
                }
            }
        }
        Tensor rows = single(run_, "out");
        rows.offset += g.start * rows.strides[0];
        rows.dims[0] = g.rows;
        run_.store(rows, out);
    }

  private:
    void scale_columns(int64_t group, int64_t column, int64_t count, float* block) const {
        for (int64_t j = 0; j < count; j++) {
            for (int64_t at = 0; at < k_; at += kMxBlock) {
                const float scale = scales_[0].at(group, at / kMxBlock, column + j);
                for (int64_t i = at; i < std::min(at + kMxBlock, k_); i++) {
                    block[j * k_ + i] *= scale;
                }
            }
        }
    }

    float element(const Group& g, int64_t row, int64_t n, const float* w) const {
        const float* x = left_.row(row);
        const float bias = bias_.empty() ? 0.0F : bias_[static_cast<size_t>(g.index * n_ + n)];
        switch (scenario_) {
            case Scenario::kInt8: {
                const int32_t sum = dot_integers(x, w, k_) + static_cast<int32_t>(bias);
                return static_cast<float>(sum) * channel_[static_cast<size_t>(g.index * n_ + n)] *
                       left_.scale(row, 0);
            }
            case Scenario::kGroupBlock: {
                float sum = 0;
                for (int64_t at = 0; at < k_; at += kTileBlock) {
                    const int64_t b = at / kTileBlock;
                    sum += dot(x + at, w + at, std::min(kTileBlock, k_ - at)) *
                           (left_.scale(row, b) * scales_[0].at(g.index, b, n / kTileBlock));
                }
                return sum;
            }
            default: return dot(x, w, k_) + bias;
        }
    }

    Run& run_;
    Scenario scenario_;
    GroupedWeights weights_;
    Left left_;
    int64_t k_, n_;
    std::vector<float> channel_, bias_;
    std::vector<WeightScales> scales_;  // none or one
};

constexpr const char* kDocV4 = "ops-transformer docs aclnnGroupedMatmulV4";
constexpr const char* kDocV5 = "ops-transformer docs aclnnGroupedMatmulV5";
constexpr const char* kDocNz = "ops-transformer docs aclnnGroupedMatmulWeightNz";

void run(Run& run) {
    Multiply multiply(run);
    const Tensor& x = single(run, "x");
    const std::vector<Tensor>& weights = *run.list("weight");
    const int64_t count = weights.front().rank() == 3 ? weights.front().dim(0) : static_cast<int64_t>(weights.size());
    for (const Group& g : groups(run, *run.tensor("groupListOptional"), run.integer("groupListType"), count, x.dim(0),
                                 kDocV5)) {
        if (g.rows > 0) {
            multiply.group(g);
        }
    }
}

void rule_v4(Call& call) {
    check(call, Variant::kV4, kDocV4);
}
void rule_v5(Call& call) {
    check(call, Variant::kV5, kDocV5);
}
void rule_nz(Call& call) {
    check(call, Variant::kWeightNz, kDocNz);
}

EMU_OP(grouped_v4, .name = "aclnnGroupedMatmulV4", .cite = kDocV4, .rule = rule_v4, .run = run, .writes = {"out"});
EMU_OP(grouped_v5, .name = "aclnnGroupedMatmulV5", .cite = kDocV5, .rule = rule_v5, .run = run, .writes = {"out"});
EMU_OP(grouped_nz, .name = "aclnnGroupedMatmulWeightNz", .cite = kDocNz, .rule = rule_nz, .run = run,
       .writes = {"out"});

}  // namespace

}  // namespace grouped

}  // namespace emu

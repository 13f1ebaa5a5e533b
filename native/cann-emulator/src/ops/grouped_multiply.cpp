#include "grouped_multiply.h"

#include <algorithm>

#include "blocked.h"
#include "checks.h"
#include "rows.h"

namespace emu::grouped {

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

Left::Left(Run& run, const Operands& o) : values_(dense_floats(run, *o.x)), k_(o.x->dim(1)) {
    if (o.token != nullptr) {
        scales_ = run.floats(*o.token);
        per_row_ = o.token->rank() == 1 ? 1 : o.token->numel() / std::max<int64_t>(o.token->dim(0), 1);
    }
    if (o.scenario == Scenario::kMx || o.scenario == Scenario::kMxA8W4) {
        for (size_t i = 0; i < values_.size(); i++) {
            const auto at = static_cast<int64_t>(i);
            values_[i] *= scale(at / k_, at % k_ / kMxBlock);
        }
    }
}

Multiply::Multiply(Run& run, const Operands& o)
    : scenario_(o.scenario), weights_(run, *o.weight), left_(run, o), k_(weights_.k()), n_(weights_.n()) {
    if (scenario_ == Scenario::kInt8) {
        channel_ = run.floats(o.scale->front());
    } else if (scenario_ != Scenario::kPlain) {
        scales_.emplace(run, *o.scale, transposed_weight(o.weight->front()), mx(),
                        mx() ? n_ : ceil_div(n_, kTileBlock));
    }
    if (o.bias != nullptr) {
        for (const Tensor& b : *o.bias) {
            const std::vector<float> values = run.floats(b);
            bias_.insert(bias_.end(), values.begin(), values.end());
        }
    }
}

std::vector<float> Multiply::rows(const Group& g) const {
    std::vector<float> block(static_cast<size_t>(GroupedWeights::kColumns * k_));
    std::vector<float> out(static_cast<size_t>(g.rows * n_));
    for (int64_t column = 0; column < n_; column += GroupedWeights::kColumns) {
        const int64_t count = std::min(GroupedWeights::kColumns, n_ - column);
        weights_.columns(g.index, column, count, block.data());
        if (mx()) {
            scale_columns(g.index, column, count, block.data());
        }
        for (int64_t r = 0; r < g.rows; r++) {
            for (int64_t j = 0; j < count; j++) {
                out[static_cast<size_t>(r * n_ + column + j)] =
                    element(g, g.start + r, column + j, &block[static_cast<size_t>(j * k_)]);
            }
        }
    }
    return out;
}

void Multiply::scale_columns(int64_t group, int64_t column, int64_t count, float* block) const {
    for (int64_t j = 0; j < count; j++) {
        for (int64_t at = 0; at < k_; at += kMxBlock) {
            const float scale = scales_->at(group, at / kMxBlock, column + j);
            for (int64_t i = at; i < std::min(at + kMxBlock, k_); i++) {
                block[j * k_ + i] *= scale;
            }
        }
    }
}

float Multiply::element(const Group& g, int64_t row, int64_t n, const float* w) const {
    const float* x = left_.row(row);
    const float bias = bias_.empty() ? 0.0F : bias_[static_cast<size_t>(g.index * n_ + n)];
    switch (scenario_) {
        case Scenario::kInt8: {
            const int32_t sum = dot_integers(x, w, k_) + static_cast<int32_t>(bias);
            return static_cast<float>(sum) * channel_[static_cast<size_t>(g.index * n_ + n)] * left_.scale(row, 0);
        }
        case Scenario::kGroupBlock: {
            float sum = 0;
            for (int64_t at = 0; at < k_; at += kTileBlock) {
                const int64_t b = at / kTileBlock;
                sum += dot(x + at, w + at, std::min(kTileBlock, k_ - at)) *
                       (left_.scale(row, b) * scales_->at(g.index, b, n / kTileBlock));
            }
            return sum;
        }
        default: return dot(x, w, k_) + bias;
    }
}

Tensor rows_of(const Tensor& t, const Group& g) {
    Tensor rows = t;
    rows.offset += g.start * rows.strides[0];
    rows.dims[0] = g.rows;
    return rows;
}

}  // namespace emu::grouped

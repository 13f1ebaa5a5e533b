#include "grouped_weights.h"

#include <algorithm>

#include "checks.h"
#include "rows.h"

namespace emu {

namespace {

constexpr int64_t kFractalRows = 16;

/** Width of a fractal tile: the last storage axis, else what the format and the dtype say. */
int64_t tile_width(const Tensor& w) {
    if (w.rank() + 2 == static_cast<int>(w.storage.size())) {
        return w.storage.back();
    }
    switch (w.format) {
        case ACL_FORMAT_FRACTAL_NZ_C0_16: return 16;
        case ACL_FORMAT_FRACTAL_NZ_C0_32: return 32;
        default: return 256 / dtype_bits(w.dtype);
    }
}

}  // namespace

bool transposed_weight(const Tensor& weight) {
    const auto rank = weight.strides.size();
    const int64_t k_stride = weight.strides[rank - 2];
    const int64_t n_stride = weight.strides[rank - 1];
    return k_stride == 1 && n_stride != 1;
}

GroupedWeights::GroupedWeights(Run& run, const std::vector<Tensor>& weights) : weights_(weights) {
    for (const Tensor& w : weights) {
        bases_.push_back(run.raw(w));
    }
}

int64_t GroupedWeights::groups() const {
    return first().rank() == 3 ? first().dim(0) : static_cast<int64_t>(weights_.size());
}

void GroupedWeights::columns(int64_t group, int64_t column, int64_t count, float* out) const {
    const bool single = first().rank() == 3;
    const auto at = static_cast<size_t>(single ? 0 : group);
    const Tensor& w = weights_[at];
    const void* base = bases_[at];
    const int64_t rows = k();
    if (is_nz(w.format)) {
        const bool swapped = transposed_weight(w);
        const int64_t tile = tile_width(w);
        const int64_t matrix = ceil_div(swapped ? rows : n(), tile) * tile *
                               ceil_div(swapped ? n() : rows, kFractalRows) * kFractalRows;
        fractal_columns(base, single ? group * matrix : 0, w, column, count, out);
        return;
    }
    const auto rank = w.strides.size();
    const int64_t k_stride = w.strides[rank - 2];
    const int64_t n_stride = w.strides[rank - 1];
    const int64_t start = (single ? group * w.strides[0] : 0) + column * n_stride;
    if (k_stride == 1) {
        for (int64_t j = 0; j < count; j++) {
            decode_row(base, w.dtype, start + j * n_stride, 1, rows, out + j * rows);
        }
        return;
    }
    float line[kColumns];
    for (int64_t i = 0; i < rows; i++) {  // along the memory, then turned round
        decode_row(base, w.dtype, start + i * k_stride, n_stride, count, line);
        for (int64_t j = 0; j < count; j++) {
            out[j * rows + i] = line[j];
        }
    }
}

void GroupedWeights::fractal_columns(const void* base, int64_t start, const Tensor& w, int64_t column, int64_t count,
                                     float* out) const {
    const int64_t rows = k();
    const int64_t tile = tile_width(w);
    if (transposed_weight(w)) {  // stored as [N, K]: tiles of 16 columns n and `tile` rows k
        const int64_t stripes = ceil_div(n(), kFractalRows);
        for (int64_t j = 0; j < count; j++) {
            const int64_t c = column + j;
            for (int64_t i = 0; i < rows; i += tile) {
                const int64_t block = (i / tile * stripes + c / kFractalRows) * kFractalRows * tile;
                decode_row(base, w.dtype, start + block + c % kFractalRows * tile, 1, std::min(tile, rows - i),
                           out + j * rows + i);
            }
        }
        return;
    }
    const int64_t stripes = ceil_div(rows, kFractalRows);
    float line[kColumns];
    for (int64_t j = 0; j < count; j += tile) {
        const int64_t c = column + j;
        const int64_t width = std::min(tile, count - j);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t block = (c / tile * stripes + i / kFractalRows) * kFractalRows * tile;
            decode_row(base, w.dtype, start + block + i % kFractalRows * tile + c % tile, 1, width, line);
            for (int64_t lane = 0; lane < width; lane++) {
                out[(j + lane) * rows + i] = line[lane];
            }
        }
    }
}

}  // namespace emu

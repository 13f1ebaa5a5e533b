// Scales and totals of the products that keep whole tiles in registers.
#ifndef WEFT_CUDA_GEMM_TOTALS_CUH
#define WEFT_CUDA_GEMM_TOTALS_CUH

#include "weft/cuda/gemm.cuh"

namespace weft {

// Scale bytes of a lane's weights in one block of K, fetched a block ahead.
template <DType W, int ROWS>
class Scales {
    const u8 *from_;
    int stride_;  // bytes from a row to the next
    int height_;  // rows of the matrix from the lane's first on
    int count_;   // bytes of a row from the lane's first on

public:
    u32 byte[ROWS] = {};

    __device__ __forceinline__ Scales(const Matrix &m, int row) {
        if constexpr (W == F8_E4M3) {
            from_ = m.scale + static_cast<i64>(row / 128) * m.blocks();
            count_ = row < m.outputs ? m.blocks() : 0;
        }
        if constexpr (W == F4_E2M1) {
            const int of_row = m.inputs / MX_BLOCK;
            const int mine = row + lane_id() / 4;
            from_ = m.scale + static_cast<i64>(mine) * of_row + lane_id() % 4;
            stride_ = ROW_STEP * of_row;
            height_ = m.outputs - mine;
            count_ = of_row - lane_id() % 4;
        }
    }

    __device__ __forceinline__ void load(int block) {
        if constexpr (W == F8_E4M3) {
            byte[0] = block < count_ ? from_[block] : 0;
        }
        if constexpr (W == F4_E2M1) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                byte[r] = 4 * block < count_ && ROW_STEP * r < height_ ? from_[r * stride_ + 4 * block] : 0;
            }
        }
    }
};

// totals += sums times the scales of a block of K; `exponents` are those of the tokens, `exponent` that of the weights.
template <DType X, DType W, int ROWS, int FRAGMENTS>
__device__ __forceinline__ void add(const FragmentSums<ROWS> (&sums)[FRAGMENTS], const i32 *exponents, int exponent,
                                    FragmentSums<ROWS> (&totals)[FRAGMENTS]) {
#pragma unroll
    for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            int both = exponent;
            if constexpr (X == F8_E4M3) {
                both += exponents[f * FRAGMENT_TOKENS + lane_id() % 4 * 2 + odd];
            }
            const Power power = power_of(both);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const float mine = sums[f].at(r, odd);
                totals[f].at(r, odd) += X == F8_E4M3 || W == F8_E4M3 ? apply(mine, power) : mine;
            }
        }
    }
}

// Stores a lane's totals of the rows `row`, row + 8, ... of weights.
template <int ROWS, int FRAGMENTS>
__device__ __forceinline__ void store(const Rows &y, const Tile &tile, int row,
                                      const FragmentSums<ROWS> (&totals)[FRAGMENTS]) {
#pragma unroll
    for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            const int token = f * FRAGMENT_TOKENS + lane_id() % 4 * 2 + odd;
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const int n = row + lane_id() / 4 + ROW_STEP * r;
                if (token < tile.tokens && n < y.columns) {
                    y.store(tile.first + token, n, totals[f].at(r, odd));
                }
            }
        }
    }
}

}  // namespace weft

#endif

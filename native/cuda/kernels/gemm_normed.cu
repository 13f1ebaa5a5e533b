// Products of the same few tokens with several matrices, whose blocks norm and quantise the tokens themselves.
#include "weft/cuda/gemm_own_codes.cuh"
#include "weft/cuda/norm_rows.cuh"
#include "weft/cuda/parts.cuh"

using namespace weft;

namespace {

// The first part; behind it come the products.
constexpr int NORM = 0;

static_assert(few::TOKENS <= few::WARPS && few::THREADS == TEAM_THREADS);

// What the norm multiplies each token of the tile by: a row is shared by the threads that share it in rms_norm.
template <class T>
__device__ __forceinline__ void find_factors(const Call &norm, const Tile &tile, float *factors) {
    const bool wide = rows_of(norm.at[0]).columns > WARP_COLUMNS;
    const int step = wide ? 1 : few::WARPS;
    for (int token = wide ? 0 : warp_id(); token < tile.tokens; token += step) {
        const i64 row = tile.first + token;
        const float factor = wide ? norm_factor<true, T>(norm, row) : norm_factor<false, T>(norm, row);
        if (threadIdx.x % (wide ? few::THREADS : WARP) == 0) {
            factors[token] = factor;
        }
    }
    __syncthreads();
}

template <class T, class N>
__device__ __forceinline__ void quantise(const Call &norm, const Tile &tile, int inputs, u8 *codes, u8 *scales,
                                         float *factors) {
    find_factors<T>(norm, tile, factors);
    const Rows x = rows_of(norm.at[0]);
    const N *weights = static_cast<const N *>(norm.at[1].data);
    const bool aligned = is_aligned(weights, 16);
    few::quantise_tile(tile, inputs, codes, scales, [&](int token, int c, float (&v)[QUANT_RUN]) {
        const T *from = x.row<const T>(tile.first + token) + c;
        float w[QUANT_RUN];
        load_run(from, QUANT_RUN, is_aligned(from, 16), v);
        load_run(weights + c, QUANT_RUN, aligned, w);
#pragma unroll
        for (int e = 0; e < QUANT_RUN; e++) {
            v[e] = round_to<T>(w[e] * (v[e] * factors[token]));
        }
    });
}

template <int ROWS>
__device__ __forceinline__ void decode(const Calls &calls) {
    __shared__ float factors[few::TOKENS];
    uint3 block;
    const int product = part_of(calls, block);
    if (product < 0) {
        return;
    }
    const Call &norm = calls.part[NORM];
    const bool wide = norm.at[1].dtype == F32;
    few::decode_own<F8_E4M3, ROWS>(calls.part[product], block, [&](const Tile &tile, int inputs, u8 *codes, u8 *scales) {
        if (norm.at[0].dtype == F32) {
            wide ? quantise<float, float>(norm, tile, inputs, codes, scales, factors)
                 : quantise<float, bf16>(norm, tile, inputs, codes, scales, factors);
        } else {
            wide ? quantise<bf16, float>(norm, tile, inputs, codes, scales, factors)
                 : quantise<bf16, bf16>(norm, tile, inputs, codes, scales, factors);
        }
    });
}

template <int ROWS>
__device__ __forceinline__ void ahead(const Calls &calls) {
    if (blockIdx.x == 0) {  // for all blocks
        prefetch_norm(calls.part[NORM]);
    }
    uint3 block;
    const int product = part_of(calls, block);
    if (product >= 0) {
        prefetch_weights<F8_E4M3>(calls.part[product], block, ROWS * ROW_STEP);
    }
}

}  // namespace

// Parts: RmsNorm, then products with weights in E4M3 of what it makes, quantised to E4M3 in blocks of 128. Launch word as
// gemm_decode; blocks of a product lie along x first. Shared memory as gemm_quantized.
WEFT_KERNEL_OF_CALLS_AHEAD(gemm_normed16, ahead<2>, few::THREADS, 3) {
    decode<2>(calls);
}
WEFT_KERNEL_OF_CALLS_AHEAD(gemm_normed32, ahead<4>, few::THREADS, 2) {
    decode<4>(calls);
}

// Matrix products with few tokens that a block quantises itself: every block of the grid does it anew, while its first weights
// are on their way, because a launch of its own would take longer.
#ifndef WEFT_CUDA_GEMM_OWN_CODES_CUH
#define WEFT_CUDA_GEMM_OWN_CODES_CUH

#include "weft/cuda/gemm_decode.cuh"
#include "weft/cuda/quantize_runs.cuh"

namespace weft {

namespace few {

// Bytes between the codes of two tokens in shared memory beyond those of a token: no bank conflicts.
constexpr int GAP = 16;

// Quantises the tile's tokens to shared memory; values(token, column, v) gives a run of a token of the tile.
template <class F>
__device__ __forceinline__ void quantise_tile(const Tile &tile, int inputs, u8 *codes, u8 *scales, const F &values) {
    const int runs = inputs / QUANT_RUN;
    const int blocks = inputs / K_BLOCK;
    const int count = tile.tokens * runs;
    for (int begin = 0; begin < count; begin += THREADS) {
        const int at = begin + static_cast<int>(threadIdx.x);  // lanes behind the last run stay for the others
        const int token = at / runs;
        const int c = at % runs * QUANT_RUN;
        float v[QUANT_RUN] = {};
        if (at < count) {
            values(token, c, v);
        }
        const u32 scale = shared_scale(v, K_BLOCK, true);
        if (at < count) {
            *reinterpret_cast<uint2 *>(codes + token * (inputs + GAP) + c) = e4m3_codes(v, scale);
            scales[token * blocks + c / K_BLOCK] = static_cast<u8>(scale);
        }
    }
}

// As decode, with tokens that quantise(tile, inputs, codes, scales) leaves in shared memory, as quantise_tile does: codes are
// `inputs` + GAP bytes from token to token. Shared memory: first the codes of up to 8 tokens, since they are read 16 bytes at a time.
template <DType W, int ROWS, class F>
__device__ __forceinline__ void decode_own(const Call &call, const uint3 &block, const F &quantise) {
    WEFT_SHARED_MEMORY(uint4, memory);
    const Tile tile = tile_of(call, TOKENS, block);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int row = first_row(block, Shape<F8_E4M3, W, ROWS, true>::WARP_ROWS);
    u8 *codes = reinterpret_cast<u8 *>(memory);
    const int rows = static_cast<int>(min(tile.x.count, static_cast<i64>(TOKENS)));  // of codes, for which there is memory
    const Layout<F8_E4M3, W, ROWS, true> shared(memory + rows * (w.inputs + GAP) / 16, w.blocks());
    const Share<F8_E4M3, W, ROWS, OwnCodes> share(w, tile, row, shared, {codes, w.inputs + GAP});
    share.start();
    load_scales(w, tile, row, shared);
    quantise(tile, w.inputs, codes, shared.x_scale);
    __syncthreads();
    share.run();
    __syncthreads();
    store_totals(call, block, tile, w, row, shared);
}

}  // namespace few

}  // namespace weft

#endif

// Matrix products with few tokens that a block quantises itself, after the gated activation where that comes before: every block
// of the grid does it anew, while its first weights are on their way, because a launch of its own would take longer.
#include "weft/cuda/gemm_decode.cuh"
#include "weft/cuda/quantize_runs.cuh"
#include "weft/cuda/swi_glu.cuh"

using namespace weft;

namespace {

enum Part { GEMM, QUANTIZE, ACTIVATION };

// Bytes between the codes of two tokens in shared memory beyond those of a token: no bank conflicts.
constexpr int GAP = 16;

// Quantises the tile's tokens to shared memory; rows of the activation, if there is one, else of the quantiser's operand.
template <class T>
__device__ __forceinline__ void quantise_tile(const Calls &calls, const Tile &tile, int inputs, u8 *codes, u8 *scales) {
    const bool activates = calls.part[ACTIVATION].attribute[PART_KIND] != 0;
    const Rows x = rows_of(calls.part[QUANTIZE].at[0]);
    const int runs = inputs / QUANT_RUN;
    const int blocks = inputs / K_BLOCK;
    const int count = tile.tokens * runs;
    for (int begin = 0; begin < count; begin += few::THREADS) {
        const int at = begin + static_cast<int>(threadIdx.x);  // lanes behind the last run stay for the others
        const int token = at / runs;
        const int c = at % runs * QUANT_RUN;
        float v[QUANT_RUN] = {};
        if (at < count && activates) {
            swi_glu_values<T>(calls.part[ACTIVATION], tile.first + token, c, v);
#pragma unroll
            for (int e = 0; e < QUANT_RUN; e++) {
                v[e] = round_to<T>(v[e]);
            }
        } else if (at < count) {
            const T *from = x.row<const T>(tile.first + token) + c;
            load_run(from, QUANT_RUN, is_aligned(from, 16), v);
        }
        const u32 scale = shared_scale(v, K_BLOCK, true);
        if (at < count) {
            *reinterpret_cast<uint2 *>(codes + token * (inputs + GAP) + c) = e4m3_codes(v, scale);
            scales[token * blocks + c / K_BLOCK] = static_cast<u8>(scale);
        }
    }
}

template <DType W, int ROWS>
__device__ __forceinline__ void decode(const Calls &calls) {
    using namespace few;
    WEFT_SHARED_MEMORY(uint4, memory);
    const Call &call = calls.part[GEMM];
    const uint3 block = blockIdx;
    const Tile tile = tile_of(call, TOKENS, block);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int row = static_cast<int>(block.y) * few::Shape<F8_E4M3, W, ROWS, true>::WARP_ROWS;
    // the codes first, since they are read 16 bytes at a time
    u8 *codes = reinterpret_cast<u8 *>(memory);
    const Layout<F8_E4M3, W, ROWS, true> shared(memory + TOKENS * (w.inputs + GAP) / 16, w.blocks());
    const Share<F8_E4M3, W, ROWS, OwnCodes> share(w, tile, row, shared, {codes, w.inputs + GAP});
    share.start();
    load_scales(w, tile, row, shared);
    if (calls.part[QUANTIZE].at[0].dtype == F32) {
        quantise_tile<float>(calls, tile, w.inputs, codes, shared.x_scale);
    } else {
        quantise_tile<bf16>(calls, tile, w.inputs, codes, shared.x_scale);
    }
    __syncthreads();
    share.run();
    __syncthreads();
    store_totals(call, block, tile, w, row, shared);
}

}  // namespace

// Parts: the product, Quantize to E4M3 in blocks of 128, and SwiGlu, of kind 0 if it is not among them. Grid and launch word as
// gemm_decode; shared memory is larger by the codes of 8 tokens.
#define WEFT_QUANTIZED(w, W)                                              \
    WEFT_KERNEL_OF_CALLS(gemm_quantized16_##w, few::THREADS) {            \
        decode<W, 2>(calls);                                              \
    }                                                                     \
    WEFT_KERNEL_OF_CALLS(gemm_quantized32_##w, few::THREADS) {            \
        decode<W, 4>(calls);                                              \
    }

WEFT_QUANTIZED(f8_e4m3, F8_E4M3)
WEFT_QUANTIZED(f4_e2m1, F4_E2M1)

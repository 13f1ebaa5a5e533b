// Grouped products with many tokens on Hopper, whose results are quantised where they are made: the 128 outputs of a block are a
// scale block of each of its tokens.
#include "weft/cuda/gemm_wgmma.cuh"
#include "weft/cuda/quantize.cuh"

using namespace weft;
using namespace weft::many;

namespace {

enum Part { GEMM, QUANTIZE };

constexpr int OUTPUTS = BLOCK_ROWS;  // of a block
static_assert(OUTPUTS == K_BLOCK);

template <int TOKENS>
struct Quantised {
    u32 greatest[WARPS][TOKENS];  // magnitudes among a warp's outputs
    uint4 codes[TOKENS][OUTPUTS / 16];
};

// Outputs as a product would store them, in BF16.
template <int TOKENS>
using Outputs = FragmentSums<ROWS>[TOKENS / FRAGMENT_TOKENS];

// The token of a lane's totals.
[[maybe_unused]] __device__ __forceinline__ int token_of(int fragment, int odd) {
    return fragment * FRAGMENT_TOKENS + lane_id() % 4 * 2 + odd;
}

template <int TOKENS>
__device__ __forceinline__ void find_greatest(const Outputs<TOKENS> &y, Quantised<TOKENS> &shared) {
#pragma unroll
    for (int f = 0; f < TOKENS / FRAGMENT_TOKENS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            u32 greatest = 0;
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                greatest = max(greatest, magnitude_bits(round_to<bf16>(y[f].at(r, odd))));
            }
            for (int distance = WARP / 2; distance >= 4; distance /= 2) {
                greatest = max(greatest, __shfl_xor_sync(ALL_LANES, greatest, distance));
            }
            if (lane_id() < 4) {
                shared.greatest[warp_id()][token_of(f, odd)] = greatest;
            }
        }
    }
}

template <int TOKENS>
__device__ __forceinline__ u32 scale_of(const Quantised<TOKENS> &shared, int token) {
    u32 greatest = 0;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
        greatest = max(greatest, shared.greatest[w][token]);
    }
    return block_scale(greatest, true);
}

template <int TOKENS>
__device__ __forceinline__ void encode(const Outputs<TOKENS> &y, Quantised<TOKENS> &shared) {
#pragma unroll
    for (int f = 0; f < TOKENS / FRAGMENT_TOKENS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            const int token = token_of(f, odd);
            const u32 scale = scale_of(shared, token);
            u8 *codes = reinterpret_cast<u8 *>(shared.codes[token]) + warp_id() * ROWS * ROW_STEP + lane_id() / 4;
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                codes[r * ROW_STEP] = static_cast<u8>(quantize(round_to<bf16>(y[f].at(r, odd)), scale, true));
            }
        }
    }
}

// Codes and scales of the tile's tokens at the columns of outputs from `column` on.
template <int TOKENS>
__device__ __forceinline__ void store_codes(const Operand &result, const Tile &tile, i64 column,
                                            const Quantised<TOKENS> &shared) {
    const Rows y = rows_of(result);
    for (int i = static_cast<int>(threadIdx.x); i < tile.tokens * (OUTPUTS / 16); i += THREADS) {
        const int token = i / (OUTPUTS / 16);
        u8 *to = static_cast<u8 *>(y.data) + y.at(tile.first + token) + column;
        reinterpret_cast<uint4 *>(to)[i % (OUTPUTS / 16)] = shared.codes[token][i % (OUTPUTS / 16)];
    }
    for (int token = static_cast<int>(threadIdx.x); token < tile.tokens; token += THREADS) {
        u8 *scales = static_cast<u8 *>(result.scale) + (tile.first + token) * (y.columns / K_BLOCK);
        scales[column / K_BLOCK] = static_cast<u8>(scale_of(shared, token));
    }
}

template <DType W, int TOKENS>
[[maybe_unused]] __device__ __forceinline__ void multiply(const Calls &calls) {
    const uint3 block = blockIdx;
    const i64 column = static_cast<i64>(block.z) * calls.part[GEMM].at[1].dims[1] + block.y * OUTPUTS;
    multiply_tile<BF16, W, TOKENS>(
        calls.part[GEMM], block, [&](const Tile &tile, int, const Outputs<TOKENS> &y, u8 *memory) {
            auto &shared = *reinterpret_cast<Quantised<TOKENS> *>(memory);
            __syncthreads();  // other warps may still read the last tile
            find_greatest<TOKENS>(y, shared);
            __syncthreads();
            encode<TOKENS>(y, shared);
            __syncthreads();
            store_codes(calls.part[QUANTIZE].at[1], tile, column, shared);
        });
}

template <DType W>
__device__ __forceinline__ void ahead(const Calls &calls) {
    prefetch_weights<W>(calls.part[GEMM], blockIdx, BLOCK_ROWS);
}

}  // namespace

// Parts: the grouped product, whose outputs are whole scale blocks, and Quantize to E4M3 in blocks of 128. Grid and launch word as
// gemm_wgmma.
#define WEFT_QUANTIZED(w, W)                                                                \
    WEFT_KERNEL_OF_CALLS_AHEAD(gemm_wgmma_quantized64_##w, ahead<W>, many::THREADS) {       \
        WEFT_ON_HOPPER(multiply<W, 64>(calls));                                             \
    }                                                                                       \
    WEFT_KERNEL_OF_CALLS_AHEAD(gemm_wgmma_quantized128_##w, ahead<W>, many::THREADS) {      \
        WEFT_ON_HOPPER(multiply<W, 128>(calls));                                            \
    }

WEFT_QUANTIZED(bf16, BF16)
WEFT_QUANTIZED(f8_e4m3, F8_E4M3)

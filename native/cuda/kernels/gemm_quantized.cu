// Matrix products with few tokens that a block quantises itself, after the gated activation where that comes before.
#include "weft/cuda/gemm_own_codes.cuh"
#include "weft/cuda/swi_glu.cuh"

using namespace weft;

namespace {

enum Part { GEMM, QUANTIZE, ACTIVATION };

// Rows of the activation, if there is one, else of the quantiser's operand.
template <class T>
__device__ __forceinline__ void quantise(const Calls &calls, const Tile &tile, int inputs, u8 *codes, u8 *scales) {
    const bool activates = calls.part[ACTIVATION].attribute[PART_KIND] != 0;
    const Rows x = rows_of(calls.part[QUANTIZE].at[0]);
    few::quantise_tile(tile, inputs, codes, scales, [&](int token, int c, float (&v)[QUANT_RUN]) {
        if (activates) {
            swi_glu_values<T>(calls.part[ACTIVATION], tile.first + token, c, v);
#pragma unroll
            for (int e = 0; e < QUANT_RUN; e++) {
                v[e] = round_to<T>(v[e]);
            }
        } else {
            const T *from = x.row<const T>(tile.first + token) + c;
            load_run(from, QUANT_RUN, is_aligned(from, 16), v);
        }
    });
}

template <DType W, int ROWS>
__device__ __forceinline__ void decode(const Calls &calls) {
    const uint3 block = blockIdx;
    few::decode_own<W, ROWS>(calls.part[GEMM], block, [&](const Tile &tile, int inputs, u8 *codes, u8 *scales) {
        calls.part[QUANTIZE].at[0].dtype == F32 ? quantise<float>(calls, tile, inputs, codes, scales)
                                                : quantise<bf16>(calls, tile, inputs, codes, scales);
    });
}

template <DType W, int ROWS>
__device__ __forceinline__ void ahead(const Calls &calls) {
    prefetch_weights<W>(calls.part[GEMM], blockIdx, ROWS * ROW_STEP);
}

}  // namespace

// Parts: the product, Quantize to E4M3 in blocks of 128, and SwiGlu, of kind 0 if it is not among them. Grid and launch word as
// gemm_decode; shared memory has the tokens' codes, of at most 8, in place of their copies under way.
#define WEFT_QUANTIZED(w, W)                                                               \
    WEFT_KERNEL_OF_CALLS_AHEAD(gemm_quantized16_##w, (ahead<W, 2>), few::THREADS) {        \
        decode<W, 2>(calls);                                                               \
    }                                                                                      \
    WEFT_KERNEL_OF_CALLS_AHEAD(gemm_quantized32_##w, (ahead<W, 4>), few::THREADS, 2) {     \
        decode<W, 4>(calls);                                                               \
    }

WEFT_QUANTIZED(f8_e4m3, F8_E4M3)
WEFT_QUANTIZED(f4_e2m1, F4_E2M1)

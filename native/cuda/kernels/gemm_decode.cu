// Matrix products with few tokens.
#include "weft/cuda/gemm_decode.cuh"

using namespace weft;

namespace {

template <DType W, int ROWS>
__device__ __forceinline__ void ahead(const Call &call) {
    prefetch_weights<W>(call, blockIdx, ROWS * ROW_STEP);
}

}  // namespace

// Last: the blocks of 32 rows that a multiprocessor shall hold, if that is said.
#define WEFT_DECODE(x, w, X, W, ...)                                                             \
    WEFT_KERNEL_AHEAD(gemm_decode16_##x##_##w, (ahead<W, 2>), few::THREADS) {                    \
        few::decode<X, W, 2>(call, blockIdx);                                                    \
    }                                                                                            \
    WEFT_KERNEL_AHEAD(gemm_decode32_##x##_##w, (ahead<W, 4>), few::THREADS __VA_OPT__(, ) __VA_ARGS__) { \
        few::decode<X, W, 4>(call, blockIdx);                                                    \
    }

// Launch word: which product.
WEFT_DECODE(bf16, bf16, BF16, BF16)
WEFT_DECODE(bf16, f8_e4m3, BF16, F8_E4M3)
WEFT_DECODE(bf16, f4_e2m1, BF16, F4_E2M1, 2)  // else the compiler spills for a third block
WEFT_DECODE(f8_e4m3, bf16, F8_E4M3, BF16)
WEFT_DECODE(f8_e4m3, f8_e4m3, F8_E4M3, F8_E4M3)
WEFT_DECODE(f8_e4m3, f4_e2m1, F8_E4M3, F4_E2M1)

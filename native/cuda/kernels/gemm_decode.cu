// Matrix products with few tokens.
#include "weft/cuda/gemm_decode.cuh"

using namespace weft;

#define WEFT_DECODE(x, w, X, W)                       \
    WEFT_KERNEL(gemm_decode16_##x##_##w, few::THREADS) { \
        few::decode<X, W, 2>(call, blockIdx);         \
    }                                                 \
    WEFT_KERNEL(gemm_decode32_##x##_##w, few::THREADS) { \
        few::decode<X, W, 4>(call, blockIdx);         \
    }

// Launch word: which product.
WEFT_DECODE(bf16, bf16, BF16, BF16)
WEFT_DECODE(bf16, f8_e4m3, BF16, F8_E4M3)
WEFT_DECODE(bf16, f4_e2m1, BF16, F4_E2M1)
WEFT_DECODE(f8_e4m3, bf16, F8_E4M3, BF16)
WEFT_DECODE(f8_e4m3, f8_e4m3, F8_E4M3, F8_E4M3)
WEFT_DECODE(f8_e4m3, f4_e2m1, F8_E4M3, F4_E2M1)

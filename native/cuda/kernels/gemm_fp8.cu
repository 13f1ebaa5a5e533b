// Matrix products with many tokens on Hopper's FP8 units.
#include "weft/cuda/gemm_fp8.cuh"

using namespace weft;

// Launch word: which product.
#define WEFT_FP8(w, W)                                                          \
    WEFT_KERNEL(gemm_fp8_64_f8_e4m3_##w, fp8::THREADS, 2) {                     \
        WEFT_ON_HOPPER(fp8::multiply_tile<W, 64>(call, blockIdx));              \
    }                                                                           \
    WEFT_KERNEL(gemm_fp8_128_f8_e4m3_##w, fp8::THREADS) {                       \
        WEFT_ON_HOPPER(fp8::multiply_tile<W, 128>(call, blockIdx));             \
    }

WEFT_FP8(f8_e4m3, F8_E4M3)
WEFT_FP8(f4_e2m1, F4_E2M1)

// Matrix products with many tokens on Hopper.
#include "weft/cuda/gemm_wgmma.cuh"

using namespace weft;

namespace {

template <DType W>
__device__ __forceinline__ void ahead(const Call &call) {
    prefetch_weights<W>(call, blockIdx, many::BLOCK_ROWS);
}

}  // namespace

#define WEFT_WGMMA(x, w, X, W)                                                 \
    WEFT_KERNEL_AHEAD(gemm_wgmma64_##x##_##w, ahead<W>, many::THREADS) {       \
        WEFT_ON_HOPPER(many::multiply_tile<X, W, 64>(call, blockIdx));         \
    }                                                                          \
    WEFT_KERNEL_AHEAD(gemm_wgmma128_##x##_##w, ahead<W>, many::THREADS) {      \
        WEFT_ON_HOPPER(many::multiply_tile<X, W, 128>(call, blockIdx));        \
    }

// Launch word: which product.
WEFT_WGMMA(bf16, bf16, BF16, BF16)
WEFT_WGMMA(bf16, f8_e4m3, BF16, F8_E4M3)
WEFT_WGMMA(bf16, f4_e2m1, BF16, F4_E2M1)
WEFT_WGMMA(f8_e4m3, bf16, F8_E4M3, BF16)
WEFT_WGMMA(f8_e4m3, f8_e4m3, F8_E4M3, F8_E4M3)
WEFT_WGMMA(f8_e4m3, f4_e2m1, F8_E4M3, F4_E2M1)

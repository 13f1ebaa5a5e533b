// Matrix products with some tens of tokens.
#include "weft/cuda/gemm_rounds.cuh"

using namespace weft;

// Launch word: which product.
WEFT_KERNEL(gemm_rounds_bf16_f8_e4m3, rounds::THREADS, 1) {
    rounds::multiply_tile<BF16, F8_E4M3>(call, blockIdx);
}
WEFT_KERNEL(gemm_rounds_f8_e4m3_f8_e4m3, rounds::THREADS, 1) {
    rounds::multiply_tile<F8_E4M3, F8_E4M3>(call, blockIdx);
}

// Matrix products with some tens of tokens.
#include "weft/cuda/gemm_rounds.cuh"

using namespace weft;

namespace {

__device__ __forceinline__ void ahead(const Call &call) {
    prefetch_weights<F8_E4M3>(call, blockIdx, rounds::WARP_ROWS);
}

}  // namespace

// Launch word: which product. More than one block does not fit in a multiprocessor's shared memory.
WEFT_KERNEL_AHEAD(gemm_rounds_bf16_f8_e4m3, ahead, rounds::THREADS, 1) {
    rounds::multiply_tile<BF16, F8_E4M3>(call, blockIdx);
}
WEFT_KERNEL_AHEAD(gemm_rounds_f8_e4m3_f8_e4m3, ahead, rounds::THREADS, 1) {
    rounds::multiply_tile<F8_E4M3, F8_E4M3>(call, blockIdx);
}

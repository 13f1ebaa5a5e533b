// Several matrix products with many tokens in one launch on Hopper, each in blocks of its own.
#include "weft/cuda/gemm_wgmma.cuh"
#include "weft/cuda/parts.cuh"

using namespace weft;

namespace {

// Kinds of parts: tokens of a block. dev.weft.backend.cuda.kernel.GemmsTogether knows them.
enum Kind : i64 { NONE, TOKENS_64, TOKENS_128 };

template <DType X, DType W>
__device__ __forceinline__ void multiply(const Call &call, bool wide, const uint3 &block) {
    wide ? many::multiply_tile<X, W, 128>(call, block) : many::multiply_tile<X, W, 64>(call, block);
}

template <DType X>
__device__ __forceinline__ void multiply(const Call &call, bool wide, const uint3 &block) {
    switch (call.at[1].dtype) {
        case BF16:
            multiply<X, BF16>(call, wide, block);
            return;
        case F8_E4M3:
            multiply<X, F8_E4M3>(call, wide, block);
            return;
        default:
            multiply<X, F4_E2M1>(call, wide, block);
    }
}

[[maybe_unused]] __device__ __forceinline__ void multiply_part(const Calls &calls) {
    uint3 block;
    const int part = part_of(calls, block);
    if (part >= 0) {
        const Call &call = calls.part[part];
        const bool wide = call.attribute[PART_KIND] == TOKENS_128;
        call.at[0].dtype == BF16 ? multiply<BF16>(call, wide, block) : multiply<F8_E4M3>(call, wide, block);
    }
}

__device__ __forceinline__ void ahead(const Calls &calls) {
    uint3 block;
    const int part = part_of(calls, block);
    if (part >= 0) {
        prefetch_weights(calls.part[part], block, many::BLOCK_ROWS);
    }
}

}  // namespace

// Attributes: launch word of gemm_wgmma, then those of a part; blocks of a part lie along x first.
WEFT_KERNEL_OF_CALLS_AHEAD(gemm_together_wgmma, ahead, many::THREADS) {
    WEFT_ON_HOPPER(multiply_part(calls));
}

// Several matrix products with few tokens in one launch, each in blocks of its own.
#include "weft/cuda/gemm_decode.cuh"
#include "weft/cuda/parts.cuh"

using namespace weft;

namespace {

// Kinds of parts: formats of activations and weights, rows of a block. dev.weft.backend.cuda.kernel.GemmsTogether knows them.
template <DType X, DType W>
__device__ __forceinline__ void decode(const Call &call, bool tall, const uint3 &block) {
    tall ? few::decode<X, W, 4>(call, block) : few::decode<X, W, 2>(call, block);
}

template <DType X>
__device__ __forceinline__ void decode(const Call &call, bool tall, const uint3 &block) {
    switch (call.at[1].dtype) {
        case BF16:
            decode<X, BF16>(call, tall, block);
            return;
        case F8_E4M3:
            decode<X, F8_E4M3>(call, tall, block);
            return;
        default:
            decode<X, F4_E2M1>(call, tall, block);
    }
}

enum Kind : i64 { NONE, SHORT, TALL };

__device__ __forceinline__ void ahead(const Calls &calls) {
    uint3 block;
    const int part = part_of(calls, block);
    if (part >= 0) {
        const Call &call = calls.part[part];
        prefetch_weights(call, block, (call.attribute[PART_KIND] == TALL ? 4 : 2) * ROW_STEP);
    }
}

}  // namespace

// Attributes: launch word of gemm_decode, then those of a part; blocks of a part lie along x first.
WEFT_KERNEL_OF_CALLS_AHEAD(gemm_together, ahead, few::THREADS) {
    uint3 block;
    const int part = part_of(calls, block);
    if (part >= 0) {
        const Call &call = calls.part[part];
        const bool tall = call.attribute[PART_KIND] == TALL;
        call.at[0].dtype == BF16 ? decode<BF16>(call, tall, block) : decode<F8_E4M3>(call, tall, block);
    }
}

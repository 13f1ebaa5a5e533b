// Which of the calls of a launch a block computes.
#ifndef WEFT_CUDA_PARTS_CUH
#define WEFT_CUDA_PARTS_CUH

#include "weft/cuda/call.cuh"

namespace weft {

// The calls whose part of the grid, along x, this block is in, a bit each. Without branches, so that the words of all calls are on
// their way together.
__device__ __forceinline__ u32 parts_of(const Calls &calls) {
    u32 parts = 0;
#pragma unroll
    for (int i = 0; i < MOST_CALLS; i++) {
        const i64 *word = calls.part[i].attribute;
        // in 32 bits, which grids fit
        const bool has_block = blockIdx.x >= static_cast<u32>(word[PART_FIRST]) && blockIdx.x < static_cast<u32>(word[PART_END]);
        parts |= (static_cast<u32>(word[PART_KIND]) != 0 && has_block ? 1u : 0u) << i;
    }
    return parts;
}

// Number of the first of them; -1 for none.
__device__ __forceinline__ int first_part(u32 parts) {
    return __ffs(static_cast<int>(parts)) - 1;
}

// Number of the only one, and the block's place in a grid of that call alone. No pointer that may be null: the compiler would take
// it for one to any memory and read every word of the call from there.
__device__ __forceinline__ int part_of(const Calls &calls, uint3 &block) {
    const int part = first_part(parts_of(calls));
    if (part >= 0) {
        const i64 *word = calls.part[part].attribute;
        // a division in 64 bits is a call that every block would wait for
        const u32 own = blockIdx.x - static_cast<u32>(word[PART_FIRST]);
        const u32 columns = static_cast<u32>(word[PART_COLUMNS]);
        const u32 height = static_cast<u32>(word[PART_HEIGHT]);
        block = {own % columns, own / columns % height, own / columns / height};
    }
    return part;
}

}  // namespace weft

#endif

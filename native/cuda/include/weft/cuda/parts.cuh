// Products side by side in one launch.
#ifndef WEFT_CUDA_PARTS_CUH
#define WEFT_CUDA_PARTS_CUH

#include "weft/cuda/call.cuh"

namespace weft {

// Number of the call whose part of the grid, along x, this block is in, and its place in a grid of that call alone; -1 for none. No
// pointer that may be null: the compiler would take it for one to any memory and read every word of the call from there.
__device__ __forceinline__ int part_of(const Calls &calls, uint3 &block) {
    const i64 at = blockIdx.x;
    for (int i = 0; i < MOST_CALLS; i++) {
        const i64 *word = calls.part[i].attribute;
        if (word[PART_KIND] != 0 && at < word[PART_END]) {
            // in 32 bits, which grids fit: a division in 64 is a call that every block would wait for
            const u32 own = blockIdx.x - static_cast<u32>(word[PART_FIRST]);
            const u32 columns = static_cast<u32>(word[PART_COLUMNS]);
            const u32 height = static_cast<u32>(word[PART_HEIGHT]);
            block = {own % columns, own / columns % height, own / columns / height};
            return i;
        }
    }
    return -1;
}

}  // namespace weft

#endif

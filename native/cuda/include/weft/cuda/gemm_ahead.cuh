// What a block of a matrix product does before the kernels ahead have ended: it prefetches weights, which do not depend on them.
#ifndef WEFT_CUDA_GEMM_AHEAD_CUH
#define WEFT_CUDA_GEMM_AHEAD_CUH

#include "weft/cuda/gemm.cuh"

namespace weft {

// Bytes of weights that a block prefetches, the first of each row: about those of its first copies. Blocks that are there early, four
// on a multiprocessor at most, prefetch up to 17 MB together: what memory delivers in 4 us, and a third of Hopper's second level
// cache. There they take the place of weights that the kernel ahead has read and nobody reads again; and memory delivers nothing
// twice, so that what is taken from the kernel ahead is gained here.
constexpr int AHEAD_BYTES = 32 << 10;

// The first of `height` rows of weights of a block.
__device__ __forceinline__ int first_row(const uint3 &block, int height) {
    return static_cast<int>(block.y) * height;
}

// The scale bytes of some rows, which lie one after the other; E4M3: of those of one scale block.
struct ScaleBytes {
    const u8 *first;
    int of_row;
    int count;
};

template <DType W>
__device__ __forceinline__ ScaleBytes scale_bytes(const Matrix &w, int row, int height) {
    if constexpr (W == F4_E2M1) {
        const int of_row = w.inputs / MX_BLOCK;
        return {w.scale + static_cast<i64>(row) * of_row, of_row, min(w.outputs - row, height) * of_row};
    } else if constexpr (W == F8_E4M3) {
        return {w.scale + static_cast<i64>(row / 128) * w.blocks(), w.blocks(), w.blocks()};
    } else {
        return {nullptr, 0, 0};
    }
}

// By all threads of a block. Not of experts: which ones, the kernels ahead say. Blocks of other tokens read the same rows.
template <DType W>
__device__ __forceinline__ void prefetch_weights(const Call &call, const uint3 &block, int height) {
    if (call.attribute[0] == EXPERTS || block.x != 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], block.z);
    const int row = first_row(block, height);
    const int each = height / (static_cast<int>(blockDim.x) / WARP);  // rows of a warp
    const int mine = row + warp_id() * each + lane_id();
    if (lane_id() < each && mine < w.outputs) {
        prefetch_run(w.data + static_cast<i64>(mine) * w.row_bytes,
                     static_cast<u32>(min(w.inputs * bits_in<W> / 8, AHEAD_BYTES / height)));
    }
    const ScaleBytes scales = scale_bytes<W>(w, row, height);
    prefetch_bytes(scales.first, scales.count);
}

// Of a part of a launch, whose formats are not known before.
__device__ __forceinline__ void prefetch_weights(const Call &call, const uint3 &block, int height) {
    switch (call.at[1].dtype) {
        case BF16:
            prefetch_weights<BF16>(call, block, height);
            return;
        case F8_E4M3:
            prefetch_weights<F8_E4M3>(call, block, height);
            return;
        default:
            prefetch_weights<F4_E2M1>(call, block, height);
    }
}

}  // namespace weft

#endif

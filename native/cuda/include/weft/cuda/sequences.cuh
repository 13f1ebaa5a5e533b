// Which rows of a step belong to which sequence, and where a sequence keeps what came before. All of it is read on the
// device: a captured step must hold for other positions, slots and pages.
#ifndef WEFT_CUDA_SEQUENCES_CUH
#define WEFT_CUDA_SEQUENCES_CUH

#include "weft/cuda/rows.cuh"

namespace weft {

// Element 0 of index i on axis 0.
template <class T>
__device__ __forceinline__ T *row_of(const Operand &o, i64 i) {
    return static_cast<T *>(o.data) + i * o.pitch;
}

// Row j of index i of a [*, n, width] operand.
template <class T>
__device__ __forceinline__ T *row_of(const Operand &o, i64 i, i64 j) {
    return row_of<T>(o, i) + j * o.dims[2];
}

// Element i of a list of indices.
__device__ __forceinline__ i64 index_at(const Operand &list, i64 i) {
    return static_cast<const i32 *>(list.data)[i];
}

// Entry j of a paged cache [P, E, width], through the page list of its sequence.
template <class T>
__device__ __forceinline__ T *entry_of(const Operand &cache, const i32 *pages, i64 j) {
    const u32 per_page = static_cast<u32>(cache.dims[1]);  // 64-bit division is slow
    const u32 entry = static_cast<u32>(j);
    return row_of<T>(cache, pages[entry / per_page], entry % per_page);
}

// Rows [begin, end) of the step are those of sequence `index`, at consecutive positions from `position` on.
struct Sequence {
    i64 index;
    i64 begin;
    i64 end;
    i64 position;
};

// The sequence that holds a row; its index is -1 if none does. For the whole block: every thread looks at its share of the
// sequences, because a search would be a chain of dependent loads.
__device__ __forceinline__ Sequence sequence_of(const Operand &positions, const Operand &starts, i64 row) {
    __shared__ Sequence found;
    __syncthreads();  // a former answer may still be read
    if (threadIdx.x == 0) {
        found.index = -1;
    }
    __syncthreads();
    for (i64 s = threadIdx.x; s + 1 < starts.dims[0]; s += blockDim.x) {
        const i64 begin = index_at(starts, s);
        const i64 end = index_at(starts, s + 1);
        if (begin <= row && row < end) {
            found = {s, begin, end, index_at(positions, begin)};
        }
    }
    __syncthreads();
    return found;
}

// Row at a position: of the step where it has that position, else of the ring [slots, C, width].
template <class T>
__device__ __forceinline__ const T *step_or_ring(const Operand &step, const Operand &ring, const Sequence &s, i64 slot,
                                                 i64 position) {
    if (position >= s.position) {
        return row_of<const T>(step, s.begin + position - s.position);
    }
    return row_of<const T>(ring, slot, static_cast<u32>(position) % static_cast<u32>(ring.dims[1]));
}

}  // namespace weft

#endif

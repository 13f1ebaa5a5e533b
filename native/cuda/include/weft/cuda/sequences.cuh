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
__device__ __forceinline__ i32 index_at(const Operand &list, i64 i) {
    return static_cast<const i32 *>(list.data)[i];
}

// Entry j of a paged cache [P, E, width], through the page list of its sequence.
template <class T>
__device__ __forceinline__ T *entry_of(const Operand &cache, const i32 *pages, i32 j) {
    const i32 per_page = static_cast<i32>(cache.dims[1]);
    return row_of<T>(cache, pages[j / per_page], j % per_page);
}

// Rows [begin, end) of the step are those of sequence `index`, at consecutive positions from `position` on.
struct Sequence {
    i32 index;
    i32 begin;
    i32 end;
    i32 position;
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
    for (i32 s = static_cast<i32>(threadIdx.x); s + 1 < starts.dims[0]; s += static_cast<i32>(blockDim.x)) {
        const i32 begin = index_at(starts, s);
        const i32 end = index_at(starts, s + 1);
        if (begin <= row && row < end) {
            found = {s, begin, end, index_at(positions, begin)};
        }
    }
    __syncthreads();
    return found;
}

// Row at a position: of the step where it has that position, else of the ring [slots, C, width].
template <class T>
__device__ __forceinline__ const T *step_or_ring(const Operand &step, const Operand &ring, const Sequence &s, i32 slot,
                                                 i32 position) {
    if (position >= s.position) {
        return row_of<const T>(step, s.begin + position - s.position);
    }
    return row_of<const T>(ring, slot, position % static_cast<i32>(ring.dims[1]));
}

}  // namespace weft

#endif

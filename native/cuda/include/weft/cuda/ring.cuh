// RingWrite of one row of the step by a block of threads.
#ifndef WEFT_CUDA_RING_CUH
#define WEFT_CUDA_RING_CUH

#include "weft/cuda/sequences.cuh"

namespace weft {

namespace ring {

enum At { RING, ROWS, POSITIONS, STARTS, SLOTS };

template <class T>
__device__ __forceinline__ void copy(const Call &call, const Sequence &s, i64 row) {
    const i64 place = (s.position + row - s.begin) % call.at[RING].dims[1];
    const T *from = row_of<const T>(call.at[ROWS], row);
    T *to = row_of<T>(call.at[RING], index_at(call.at[SLOTS], s.index), place);
    for (i64 c = threadIdx.x; c < call.at[RING].dims[2]; c += blockDim.x) {
        to[c] = from[c];
    }
}

__device__ __forceinline__ void write_row(const Call &call, i64 row) {
    const Sequence s = sequence_of(call.at[POSITIONS], call.at[STARTS], row);
    // of a sequence's rows the last that fit: two rows must not write one place
    if (s.index < 0 || row < s.end - call.at[RING].dims[1]) {
        return;
    }
    if (bytes_of(call.at[RING].dtype) == 4) {
        copy<u32>(call, s, row);
    } else {
        copy<u16>(call, s, row);
    }
}

}  // namespace ring

}  // namespace weft

#endif

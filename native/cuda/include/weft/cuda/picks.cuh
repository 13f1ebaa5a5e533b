// What the kernels of LightningIndex share: operands, what a row may see, and how its picks are written.
#ifndef WEFT_CUDA_PICKS_CUH
#define WEFT_CUDA_PICKS_CUH

#include "weft/cuda/sequences.cuh"
#include "weft/cuda/top_k.cuh"

namespace weft {

namespace index {

enum At { Q, WEIGHTS, KEYS, POSITIONS, STARTS, PAGES, PICKS };
// The words of a launch: the first row of its wave, and entries that a page list can hold.
enum Attribute { TOP_K, RATIO, FIRST_ROW, CAPACITY, LAUNCH_WORDS };

// Entries that a row of the sequence sees.
__device__ __forceinline__ i64 visible(const Call &call, const Sequence &s, i64 row) {
    if (s.index < 0) {
        return 0;
    }
    return min((s.position + row - s.begin + 1) / call.attribute[RATIO], call.attribute[CAPACITY]);
}

// The scores of a wave's rows as words in their order.
template <class Word>
__device__ __forceinline__ Word *scores_of(const Call &call, i64 row) {
    return static_cast<Word *>(call.workspace) + (row - call.attribute[FIRST_ROW]) * call.attribute[CAPACITY];
}

__device__ __forceinline__ void pick_all(const Call &call, i64 n, i32 *to) {
    for (i64 j = threadIdx.x; j < call.attribute[TOP_K]; j += blockDim.x) {
        to[j] = j < n ? static_cast<i32>(j) : -1;
    }
}

// Writes the entries of a cut, ascending.
template <class K>
__device__ __forceinline__ void pick(i64 n, const Cut &cut, const K &key, i32 *to, RadixShared<u32> &shared) {
    each_picked(static_cast<int>(n), cut, key, [&](u32 place, int j, u32) { to[place] = j; }, shared);
}

}  // namespace index

}  // namespace weft

#endif

// The choice of the first k entries of a row too wide for one block, in two steps: blocks choose the first k of their part of
// the row, then one block chooses among what they chose, in a second launch or because it comes last. Lists are ascending by index, so the order of ties is that of the row.
#ifndef WEFT_CUDA_TOP_K_WIDE_CUH
#define WEFT_CUDA_TOP_K_WIDE_CUH

#include "weft/cuda/top_k.cuh"

namespace weft {

// Entries of a part; known to dev.weft.backend.cuda.kernel.SelectOps.
constexpr int PART = 16384;

// What the parts of a row of n entries chose: rank words, min(k, entries) of each part, all parts before the last have PART.
struct WideRow {
    u64 *chosen;
    int n;
    int k;

    // Most words of a row with room for `columns` entries.
    __device__ __forceinline__ static i64 words(i64 columns, i64 k) {
        return ceil_div(columns, PART) * min(k, static_cast<i64>(PART));
    }

    __device__ __forceinline__ WideRow(void *workspace, i64 row, i64 columns, i64 n, i64 k)
        : chosen(static_cast<u64 *>(workspace) + row * words(columns, k)), n(static_cast<int>(n)), k(static_cast<int>(k)) {}

    __device__ __forceinline__ int chosen_of(int part) const {
        return max(min(min(n - part * PART, PART), k), 0);
    }
};

// Whether all others of `count` blocks have come here, so that what they wrote is seen; `counter` was zero. For whole blocks.
__device__ __forceinline__ bool comes_last(u32 *counter, u32 count) {
    __shared__ u32 before;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        before = atomicAdd(counter, 1u);
    }
    __syncthreads();
    __threadfence();
    return before + 1 == count;
}

// Step 1, a block per part; key(j) is that of entry j of the row.
template <int digits = DIGITS, class K>
__device__ __forceinline__ void wide_part(const WideRow &row, int part, const K &key, RadixShared<u32> &shared) {
    const int begin = part * PART;
    const int count = min(row.n - begin, PART);
    const int k = row.chosen_of(part);
    if (k == 0) {
        return;
    }
    u64 *to = row.chosen + static_cast<i64>(part) * row.chosen_of(0);
    const auto own = [&](int j) { return key(begin + j); };
    each_picked(
        count, top_cut<digits>(count, k, own, shared), own,
        [&](u32 place, int j, u32 x) { to[place] = rank_word(x, begin + j); }, shared);
}

// Step 2, a block per row: calls emit(place, rank word) for the chosen ones, places ascending by index.
template <int digits = DIGITS, class E>
__device__ __forceinline__ void wide_pick(const WideRow &row, const E &emit, RadixShared<u32> &shared) {
    const int last = (row.n - 1) / PART;
    const int count = last * row.chosen_of(0) + row.chosen_of(last);
    const auto key = [&](int i) { return static_cast<u32>(row.chosen[i] >> 32); };
    each_picked(
        count, top_cut<digits>(count, row.k, key, shared), key,
        [&](u32 place, int i, u32) { emit(place, row.chosen[i]); }, shared);
}

}  // namespace weft

#endif

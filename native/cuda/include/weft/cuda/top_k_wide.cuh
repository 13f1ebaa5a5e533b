// The choice of the first k entries of a row too wide for one block, in three launches. (1) Blocks count the highest digit of
// their parts of the row. (2) Each part writes down which of its entries lie above the digit at which the choice ends, and
// which have it. (3) One block chooses among the latter, as top_k.cuh does. Where too many have that digit, (3) walks over
// the row itself.
#ifndef WEFT_CUDA_TOP_K_WIDE_CUH
#define WEFT_CUDA_TOP_K_WIDE_CUH

#include "weft/cuda/top_k.cuh"

namespace weft {

// Entries of a part, and the most that are written down of those with the last digit.
constexpr int PART = 16384;
constexpr int MOST_CANDIDATES = 8192;

// The workspace of a row of n entries.
struct WideRow {
    u32 *bins;          // [parts][MOST_BINS]
    u32 *counts;        // entries above the last digit, entries with it
    u64 *above;         // [k] rank words, ascending by index
    u64 *candidates;    // [MOST_CANDIDATES] rank words, ascending by index
    int parts;

    // Bytes of a row, a multiple of 8.
    __device__ __forceinline__ static i64 bytes(i64 n, i64 k) {
        return ceil_div(n, PART) * MOST_BINS * sizeof(u32) + (1 + k + MOST_CANDIDATES) * static_cast<i64>(sizeof(u64));
    }

    __device__ __forceinline__ WideRow(void *workspace, i64 row, i64 n, i64 k) : parts(static_cast<int>(ceil_div(n, PART))) {
        u8 *at = static_cast<u8 *>(workspace) + row * bytes(n, k);
        bins = reinterpret_cast<u32 *>(at);
        counts = bins + parts * MOST_BINS;
        above = reinterpret_cast<u64 *>(counts + 2);
        candidates = above + k;
    }
};

// The block's part of a row; behind the end of the row it is empty.
struct WidePart {
    int index;
    int begin;
    int count;

    __device__ __forceinline__ WidePart(int part, int n)
        : index(part), begin(part * PART), count(max(min(n - part * PART, PART), 0)) {}
};

__device__ __forceinline__ u32 highest_digit(u32 key) {
    return key >> digit_shift(0);
}

// Launch 1, a block per part.
template <class K>
__device__ __forceinline__ void wide_count(const WideRow &row, const WidePart &part, const K &key, RadixShared<u32> &shared) {
    count_digit(part.count, 0, 0, [&](int j) { return key(part.begin + j); }, [](u32) { return 1u; }, shared.bins);
    for (u32 bin = threadIdx.x; bin < MOST_BINS; bin += blockDim.x) {
        row.bins[part.index * MOST_BINS + bin] = shared.bins[bin];
    }
}

// Launch 2, a block per part.
template <class K>
__device__ __forceinline__ void wide_gather(const WideRow &row, const WidePart &part, int k, const K &key,
                                            RadixShared<u32> &shared) {
    for (u32 bin = threadIdx.x; bin < MOST_BINS; bin += blockDim.x) {
        u32 sum = 0;
        for (int p = 0; p < row.parts; p++) {
            sum += row.bins[p * MOST_BINS + bin];
        }
        shared.bins[bin] = sum;
    }
    __syncthreads();
    u32 left = static_cast<u32>(k);
    const u32 last = highest_digit(find_digit(0, shared.bins, left, shared));
    const u32 candidates = shared.bins[last];
    u32 before = 0;  // entries of former parts above the last digit
    for (u32 bin = last + 1 + threadIdx.x; bin < MOST_BINS; bin += blockDim.x) {
        for (int p = 0; p < part.index; p++) {
            before += row.bins[p * MOST_BINS + bin];
        }
    }
    before = block_sum(before);
    u32 candidates_before = 0;
    for (int p = 0; p < part.index; p++) {
        candidates_before += row.bins[p * MOST_BINS + last];
    }
    if (part.index == 0 && threadIdx.x == 0) {
        row.counts[0] = static_cast<u32>(k) - left;
        row.counts[1] = candidates;
    }
    if (candidates > MOST_CANDIDATES) {
        return;
    }
    each_in_order(
        part.count, [&](int j) { return key(part.begin + j); },
        [&](u32 x) {
            const u32 digit = highest_digit(x);
            return digit > last ? Kind::FIRST : digit == last ? Kind::SECOND : Kind::NONE;
        },
        [&](Kind kind, u32 firsts, u32 seconds, int j, u32 x) {
            if (kind == Kind::FIRST) {
                row.above[before + firsts] = rank_word(x, part.begin + j);
            } else {
                row.candidates[candidates_before + seconds] = rank_word(x, part.begin + j);
            }
        },
        shared.parts);
}

// Launch 3, a block per row: calls emit(place, rank word) for the chosen ones, in no particular order.
template <class K, class E>
__device__ __forceinline__ void wide_pick(const WideRow &row, int n, int k, const K &key, const E &emit,
                                          RadixShared<u32> &shared) {
    const int above = static_cast<int>(row.counts[0]);
    const int candidates = static_cast<int>(row.counts[1]);
    if (candidates > MOST_CANDIDATES) {
        each_picked(
            n, top_cut(n, k, key, shared), key, [&](u32 place, int j, u32 x) { emit(place, rank_word(x, j)); }, shared);
        return;
    }
    for (int i = static_cast<int>(threadIdx.x); i < above; i += static_cast<int>(blockDim.x)) {
        emit(static_cast<u32>(i), row.above[i]);
    }
    const auto candidate = [&](int i) { return static_cast<u32>(row.candidates[i] >> 32); };
    each_picked(
        candidates, top_cut(candidates, k - above, candidate, shared), candidate,
        [&](u32 place, int i, u32) { emit(static_cast<u32>(above) + place, row.candidates[i]); }, shared);
}

}  // namespace weft

#endif

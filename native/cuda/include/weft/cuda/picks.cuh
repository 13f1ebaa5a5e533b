// What the kernels of LightningIndex share: operands, what a row may see, and how its picks are written.
#ifndef WEFT_CUDA_PICKS_CUH
#define WEFT_CUDA_PICKS_CUH

#include "weft/cuda/sequences.cuh"
#include "weft/cuda/top_k.cuh"

namespace weft {

namespace index {

enum At { Q, WEIGHTS, KEYS, POSITIONS, STARTS, PAGES, PICKS };
// The words of a launch: the first row of its wave, and entries that a page list can hold.
enum Attribute { TOP_K, RATIO, FIRST_ROW, CAPACITY };

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

// The k-th greatest word, and how many words that equal it belong to the k greatest.
struct Threshold {
    u32 word;
    i64 equal;
};

__device__ __forceinline__ void pick_all(const Call &call, i64 n, i32 *to) {
    for (i64 j = threadIdx.x; j < call.attribute[TOP_K]; j += blockDim.x) {
        to[j] = j < n ? static_cast<i32>(j) : -1;
    }
}

// Columns of the words above the threshold and of the first ones that equal it, ascending. Every warp has a share of the
// row: it counts, learns what the warps before it have, and writes.
template <class Word>
__device__ __forceinline__ void pick_best(const Word *words, i64 n, const Threshold &threshold, i32 *to) {
    __shared__ i64 above_of[WARP];
    __shared__ i64 equal_of[WARP];
    const i64 warps = blockDim.x / WARP;
    const i64 share = ceil_div(ceil_div(n, WARP), warps) * WARP;
    const i64 begin = warp_id() * share;
    const i64 end = min(begin + share, n);
    i64 above = 0;
    i64 equal = 0;
    for (i64 j = begin + lane_id(); j < end; j += WARP) {
        above += words[j] > threshold.word ? 1 : 0;
        equal += words[j] == threshold.word ? 1 : 0;
    }
    above = warp_sum(above);
    equal = warp_sum(equal);
    __syncthreads();
    if (lane_id() == 0) {
        above_of[warp_id()] = above;
        equal_of[warp_id()] = equal;
    }
    __syncthreads();
    above = 0;
    equal = 0;
    for (int warp = 0; warp < warp_id(); warp++) {
        above += above_of[warp];
        equal += equal_of[warp];
    }
    const u32 before = (1u << lane_id()) - 1;
    for (i64 first = begin; first < end; first += WARP) {
        const i64 j = first + lane_id();
        const u32 word = j < end ? words[j] : 0;
        const bool is_above = j < end && word > threshold.word;
        const bool is_equal = j < end && word == threshold.word;
        const u32 aboves = __ballot_sync(ALL_LANES, is_above);
        const u32 equals = __ballot_sync(ALL_LANES, is_equal);
        const i64 equal_before = equal + __popc(equals & before);
        if (is_above || (is_equal && equal_before < threshold.equal)) {
            to[above + __popc(aboves & before) + min(equal_before, threshold.equal)] = static_cast<i32>(j);
        }
        above += __popc(aboves);
        equal += __popc(equals);
    }
}

}  // namespace index

}  // namespace weft

#endif

// LightningIndex for every shape: the scores of a wave of rows, then their picks.
#include "weft/cuda/picks.cuh"

using namespace weft;
using namespace weft::index;

namespace {

constexpr int THREADS = 256;
constexpr int ENTRIES = 64;  // that a block scores
constexpr int WARPS = THREADS / WARP;

// sum_h relu(q_h . key) * w_h, heads ascending, with the roundings of the flow. Lanes share the width.
template <class T>
__device__ __forceinline__ float score(const Call &call, i64 row, const T *key) {
    const i64 width = call.at[Q].dims[2];
    const T *weights = row_of<const T>(call.at[WEIGHTS], row);
    float sum = 0;
    for (i64 h = 0; h < call.at[Q].dims[1]; h++) {
        const T *q = row_of<const T>(call.at[Q], row, h);
        float dot = 0;
        for (i64 c = lane_id(); c < width; c += WARP) {
            dot = fmaf(to_float(q[c]), to_float(key[c]), dot);
        }
        dot = round_to<T>(warp_sum(dot));
        const float positive = dot < 0 ? 0 : dot;  // keeps NaN
        sum += round_to<T>(positive * to_float(weights[h]));
    }
    return round_to<T>(sum);
}

template <class T>
__device__ __forceinline__ void score_entries(const Call &call, const Sequence &s, i64 row, i64 count) {
    const i32 *pages = row_of<const i32>(call.at[PAGES], s.index);
    u32 *scores = scores_of<u32>(call, row);
    const i64 first = static_cast<i64>(blockIdx.x) * ENTRIES;
    const i64 end = min(first + ENTRIES, count);
    for (i64 j = first + warp_id(); j < end; j += WARPS) {
        const float value = score(call, row, entry_of<const T>(call.at[KEYS], pages, static_cast<i32>(j)));
        if (lane_id() == 0) {
            scores[j] = order_key(value);
        }
    }
}

// The greatest word that at least k of n words reach, bit by bit from the highest.
__device__ __forceinline__ Cut cut(const u32 *words, i64 n, i64 k) {
    u32 found = 0;
    i64 above = 0;
    for (int bit = 31; bit >= 0; bit--) {
        const u32 bound = found | 1u << bit;
        i64 reach = 0;
        for (i64 j = threadIdx.x; j < n; j += THREADS) {
            reach += words[j] >= bound ? 1 : 0;
        }
        reach = block_sum(reach);
        if (reach >= k) {
            found = bound;
        } else {
            above = reach;
        }
    }
    return {found, static_cast<u32>(k - above)};
}

}  // namespace

// Grid: groups of entries, rows of the wave. Attributes: k, ratio, first row, capacity.
WEFT_KERNEL(index_scores_simple, THREADS) {
    const i64 row = call.attribute[FIRST_ROW] + blockIdx.y;
    const Sequence s = sequence_of(call.at[POSITIONS], call.at[STARTS], row);
    const i64 count = visible(call, s, row);
    if (count <= call.attribute[TOP_K]) {
        return;
    }
    if (call.at[Q].dtype == F32) {
        score_entries<float>(call, s, row, count);
    } else {
        score_entries<bf16>(call, s, row, count);
    }
}

// Grid: rows of the wave. Attributes: k, ratio, first row, capacity.
WEFT_KERNEL(index_picks_simple, THREADS) {
    const i64 row = call.attribute[FIRST_ROW] + blockIdx.x;
    const Sequence s = sequence_of(call.at[POSITIONS], call.at[STARTS], row);
    const i64 count = visible(call, s, row);
    i32 *picks = row_of<i32>(call.at[PICKS], row);
    if (count <= call.attribute[TOP_K]) {
        pick_all(call, count, picks);
        return;
    }
    __shared__ RadixShared<u32> shared;
    const u32 *scores = scores_of<const u32>(call, row);
    const auto key = [&](int j) { return scores[j]; };
    pick(count, cut(scores, count, call.attribute[TOP_K]), key, picks, shared);
}

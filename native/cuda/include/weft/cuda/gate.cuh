// Scores of experts and the choice among them.
#ifndef WEFT_CUDA_GATE_CUH
#define WEFT_CUDA_GATE_CUH

#include "weft/cuda/top_k.cuh"

namespace weft {

// Row i of an operand of rank 2.
template <class T>
__device__ __forceinline__ T *matrix_row(const Operand &o, i64 i) {
    return static_cast<T *>(o.data) + i * o.pitch;
}

// Ordinals of MoeGate.Score.
enum Score : i64 { SQRT_SOFTPLUS = 0, SIGMOID = 1, SOFTMAX = 2 };

// Scores of one row of logits. In F64, since a choice between neighbours hangs on the last bit of a score.
struct Scores {
    const float *logits;
    i64 experts;
    i64 kind;
    double greatest;  // softmax: greatest logit, NaN if there is one, and sum of the exponentials
    double sum;

    __device__ __forceinline__ float at(i64 e) const {
        const double s = logits[e];
        switch (kind) {
            case SQRT_SOFTPLUS:
                return static_cast<float>(sqrt(s > 20 ? s : log1p(exp(s))));
            case SIGMOID:
                return static_cast<float>(1 / (1 + exp(-s)));
            default:
                return greatest == -infinity() ? 0.0f : static_cast<float>(exp(s - greatest) / sum);
        }
    }
};

// By one warp.
__device__ __forceinline__ Scores scores_of(const float *logits, i64 experts, i64 kind) {
    Scores scores = {logits, experts, kind, 0, 0};
    if (kind == SOFTMAX) {
        float greatest = -infinity();
        bool has_nan = false;
        for (i64 e = lane_id(); e < experts; e += WARP) {
            greatest = fmaxf(greatest, logits[e]);
            has_nan |= is_nan(logits[e]);
        }
        greatest = warp_max(greatest);
        scores.greatest = __any_sync(ALL_LANES, has_nan) ? not_a_number() : greatest;
        double sum = 0;
        for (i64 e = lane_id(); e < experts; e += WARP) {
            sum += exp(logits[e] - scores.greatest);
        }
        scores.sum = warp_sum(sum);
    }
    return scores;
}

// What is greater for what is chosen before.
__device__ __forceinline__ u64 preference(float score, float bias, i64 e) {
    return rank_word(order_key(score + bias), e);
}

__device__ __forceinline__ u64 warp_greatest(u64 x) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        x = max(x, __shfl_xor_sync(ALL_LANES, x, distance));
    }
    return x;
}

// The k-th greatest of n preferences, by one warp; preference(e) is asked k times for every e.
template <class P>
__device__ __forceinline__ u64 last_preference(i64 n, i64 k, const P &preference) {
    u64 last = ~0ULL;
    for (i64 round = 0; round < k; round++) {
        u64 greatest = 0;
        for (i64 e = lane_id(); e < n; e += WARP) {
            const u64 word = preference(e);
            greatest = word < last ? max(greatest, word) : greatest;
        }
        last = warp_greatest(greatest);
    }
    return last;
}

// Writes the k entries with the greatest preferences, ascending, by one warp.
template <class P>
__device__ __forceinline__ void choose(i64 n, i64 k, const P &preference, i32 *chosen) {
    const u64 last = last_preference(n, k, preference);
    i64 count = 0;
    for (i64 first = 0; first < n; first += WARP) {
        const i64 e = first + lane_id();
        const bool is_chosen = e < n && preference(e) >= last;
        const u32 lanes = __ballot_sync(ALL_LANES, is_chosen);
        if (is_chosen) {
            chosen[count + __popc(lanes & ((1u << lane_id()) - 1u))] = static_cast<i32>(e);
        }
        count += __popc(lanes);
    }
}

// Writes a list in ascending order, by one warp.
__device__ __forceinline__ void copy_sorted(const i32 *list, i64 k, i32 *sorted) {
    for (i64 j = lane_id(); j < k; j += WARP) {
        i64 place = 0;
        for (i64 other = 0; other < k; other++) {
            place += list[other] < list[j] || (list[other] == list[j] && other < j) ? 1 : 0;
        }
        sorted[place] = list[j];
    }
}

// Share of a chosen expert's score in the sum of the chosen.
__device__ __forceinline__ float share_of(float score, double sum, i64 kind) {
    return kind == SOFTMAX ? score : static_cast<float>(score / sum);
}

}  // namespace weft

#endif

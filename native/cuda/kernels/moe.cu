// Mixture of experts around the matrix products: choice, distribution of rows, activation, sum.
#include "weft/cuda/top_k.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// ---- gate ----

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

// Place of an expert in the order of preference.
struct Rank {
    u32 key;
    i64 expert;

    __device__ __forceinline__ bool before(const Rank &other) const {
        return ranks_before(key, expert, other.key, other.expert);
    }
};

__device__ __forceinline__ Rank best_of_warp(Rank mine) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const Rank other = {__shfl_xor_sync(ALL_LANES, mine.key, distance),
                            __shfl_xor_sync(ALL_LANES, mine.expert, distance)};
        mine = other.before(mine) ? other : mine;
    }
    return mine;
}

__device__ __forceinline__ Rank rank_of(const Scores &scores, const float *bias, i64 e) {
    return {order_key(scores.at(e) + bias[e]), e};
}

// The k-th best: each round finds the best of those behind the last.
__device__ __forceinline__ Rank last_chosen(const Scores &scores, const float *bias, i64 k) {
    Rank last = {0xFFFFFFFFu, -1};
    for (i64 round = 0; round < k; round++) {
        Rank best = {0, scores.experts};
        for (i64 e = lane_id(); e < scores.experts; e += WARP) {
            const Rank rank = rank_of(scores, bias, e);
            best = last.before(rank) && rank.before(best) ? rank : best;
        }
        last = best_of_warp(best);
    }
    return last;
}

// Writes the k best experts, ascending.
__device__ __forceinline__ void choose_best(const Scores &scores, const float *bias, i64 k, i32 *chosen) {
    const Rank last = last_chosen(scores, bias, k);
    i64 count = 0;
    for (i64 first = 0; first < scores.experts; first += WARP) {
        const i64 e = first + lane_id();
        const bool is_chosen = e < scores.experts && !last.before(rank_of(scores, bias, e));
        const u32 lanes = __ballot_sync(ALL_LANES, is_chosen);
        if (is_chosen) {
            chosen[count + __popc(lanes & ((1u << lane_id()) - 1u))] = static_cast<i32>(e);
        }
        count += __popc(lanes);
    }
}

// Writes a row of the table, ascending.
__device__ __forceinline__ void copy_sorted(const i32 *table, i64 k, i32 *chosen) {
    for (i64 j = lane_id(); j < k; j += WARP) {
        i64 place = 0;
        for (i64 other = 0; other < k; other++) {
            place += table[other] < table[j] || (table[other] == table[j] && other < j) ? 1 : 0;
        }
        chosen[place] = table[j];
    }
}

}  // namespace

// One warp per row. Attributes: topK, score, hashed, routeScale.
WEFT_KERNEL(moe_gate_simple, THREADS) {
    const Rows logits = rows_of(call.at[0]);
    const i64 i = global_thread() / WARP;
    if (i >= logits.count) {
        return;
    }
    const i64 k = call.attribute[0];
    const i64 kind = call.attribute[1];
    const bool hashed = call.attribute[2] != 0;
    const Operand *results = call.at + (hashed ? 3 : 2);
    i32 *chosen = rows_of(results[0]).row<i32>(i);
    float *weights = rows_of(results[1]).row<float>(i);
    const Scores scores = scores_of(logits.row<float>(i), logits.columns, kind);
    if (hashed) {
        const i32 id = static_cast<const i32 *>(call.at[1].data)[i];
        copy_sorted(rows_of(call.at[2]).row<i32>(id), k, chosen);
    } else {
        choose_best(scores, static_cast<const float *>(call.at[1].data), k, chosen);
    }
    __syncwarp();
    double sum = 0;
    for (i64 j = 0; j < k; j++) {
        sum += scores.at(chosen[j]);
    }
    for (i64 j = lane_id(); j < k; j += WARP) {
        const float score = scores.at(chosen[j]);
        const float share = kind == SOFTMAX ? score : static_cast<float>(score / sum);
        weights[j] = share * static_cast<float>(real(call.attribute[3]));
    }
}

// ---- dispatch ----

namespace {

// Pairs (row, choice) in the order of the rows.
struct Pairs {
    Rows experts;

    __device__ __forceinline__ i64 count() const {
        return experts.count * experts.columns;
    }

    __device__ __forceinline__ i32 expert(i64 pair) const {
        return experts.row<i32>(pair / experts.columns)[pair % experts.columns];
    }
};

// Sum over the threads of the block before this one.
__device__ __forceinline__ i32 sum_before(i32 mine) {
    __shared__ i32 parts[THREADS];
    __syncthreads();  // a former sum may still be read
    parts[threadIdx.x] = mine;
    __syncthreads();
    i32 sum = 0;
    for (u32 t = 0; t < threadIdx.x; t++) {
        sum += parts[t];
    }
    return sum;
}

}  // namespace

// One block per expert, and one for the total: where the rows of the expert begin, and its pairs in ascending order.
WEFT_KERNEL(moe_order, THREADS) {
    const Pairs pairs = {rows_of(call.at[1])};
    const Rows weights = rows_of(call.at[2]);
    const i32 expert = static_cast<i32>(blockIdx.x);
    // a thread has consecutive pairs, so that the order of the threads is that of the pairs
    const i64 share = ceil_div(pairs.count(), blockDim.x);
    const i64 begin = min(share * threadIdx.x, pairs.count());
    const i64 end = min(begin + share, pairs.count());
    i32 smaller = 0;
    i32 equal = 0;
    for (i64 pair = begin; pair < end; pair++) {
        smaller += pairs.expert(pair) < expert ? 1 : 0;
        equal += pairs.expert(pair) == expert ? 1 : 0;
    }
    const i32 first = block_sum(smaller);
    if (threadIdx.x == 0) {
        static_cast<i32 *>(call.at[6].data)[expert] = first;
    }
    i64 place = first + sum_before(equal);
    for (i64 pair = begin; pair < end; pair++) {
        if (pairs.expert(pair) == expert) {
            static_cast<i32 *>(call.at[5].data)[place] = static_cast<i32>(pair);
            static_cast<float *>(call.at[4].data)[place] = weights.row<float>(pair / weights.columns)[pair % weights.columns];
            place++;
        }
    }
}

// One block per result row: copies codes and scales of the row its source names.
WEFT_KERNEL(moe_copy, THREADS) {
    const Rows from = rows_of(call.at[0]);
    const Rows to = rows_of(call.at[3]);
    const i64 p = blockIdx.x;
    const i64 i = static_cast<const i32 *>(call.at[5].data)[p] / call.at[1].dims[1];
    const i64 size = bytes_of(from.dtype);
    const u8 *source = static_cast<const u8 *>(from.data) + from.at(i) * size;
    u8 *target = static_cast<u8 *>(to.data) + to.at(p) * size;
    const i64 bytes = from.columns * size;
    const bool aligned = ((reinterpret_cast<u64>(source) | reinterpret_cast<u64>(target) | bytes) & 15) == 0;
    if (aligned) {
        for (i64 v = threadIdx.x; v < bytes / 16; v += blockDim.x) {
            reinterpret_cast<uint4 *>(target)[v] = reinterpret_cast<const uint4 *>(source)[v];
        }
    } else {
        for (i64 b = threadIdx.x; b < bytes; b += blockDim.x) {
            target[b] = source[b];
        }
    }
    if (call.at[0].scaling != 0) {
        const i64 blocks = ceil_div(from.columns, call.at[0].scaling & 0xFFFFFFFF);
        for (i64 b = threadIdx.x; b < blocks; b += blockDim.x) {
            static_cast<u8 *>(call.at[3].scale)[p * blocks + b] = static_cast<const u8 *>(call.at[0].scale)[i * blocks + b];
        }
    }
}

// ---- activation ----

// y = w * (silu(min(g, limit)) * clamp(u, -limit, limit)), one thread per element. Attributes: limit, weighted.
WEFT_KERNEL(swi_glu_simple, THREADS) {
    const Rows gate = rows_of(call.at[0]);
    const Rows up = rows_of(call.at[1]);
    const bool weighted = call.attribute[1] != 0;
    const Rows y = rows_of(call.at[weighted ? 3 : 2]);
    const i64 i = global_thread() / y.columns;
    const i64 c = global_thread() % y.columns;
    if (i >= y.count) {
        return;
    }
    const float limit = static_cast<float>(real(call.attribute[0]));
    float g = gate.load(i, c);
    float u = up.load(i, c);
    // comparisons, because the minimum of a NaN and a number would be the number
    g = g > limit ? limit : g;
    u = u > limit ? limit : u < -limit ? -limit : u;
    const float t = static_cast<float>(g / (1 + exp(-static_cast<double>(g)))) * u;
    y.store(i, c, weighted ? static_cast<const float *>(call.at[2].data)[i] * t : t);
}

// ---- combination ----

// workspace[source[p]] = p: where the output for a choice of a row is.
WEFT_KERNEL(moe_places, THREADS) {
    const i64 p = global_thread();
    if (p < call.at[1].dims[0]) {
        static_cast<i32 *>(call.workspace)[static_cast<const i32 *>(call.at[1].data)[p]] = static_cast<i32>(p);
    }
}

// out[i] = ((0 + y[e_1]) + ... + y[e_k]) + shared[i], one thread per element.
WEFT_KERNEL(moe_combine_simple, THREADS) {
    const Rows y = rows_of(call.at[0]);
    const Rows shared = rows_of(call.at[2]);
    const Rows out = rows_of(call.at[3]);
    const i64 i = global_thread() / out.columns;
    const i64 c = global_thread() % out.columns;
    if (i >= out.count) {
        return;
    }
    const i64 k = y.count / out.count;
    const i32 *places = static_cast<const i32 *>(call.workspace) + i * k;
    float sum = 0;
    for (i64 j = 0; j < k; j++) {
        sum += y.load(places[j], c);
    }
    out.store(i, c, sum + shared.load(i, c));
}

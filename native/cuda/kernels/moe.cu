// Mixture of experts around the matrix products: choice, distribution of rows, activation, sum.
#include "weft/cuda/dispatch_row.cuh"
#include "weft/cuda/gate.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

}  // namespace

// One warp per row. Attributes: topK, score, hashed, routeScale.
WEFT_KERNEL(moe_gate_simple, THREADS) {
    const i64 experts = call.at[0].dims[1];
    const i64 i = global_thread() / WARP;
    if (i >= call.at[0].dims[0]) {
        return;
    }
    const i64 k = call.attribute[0];
    const i64 kind = call.attribute[1];
    const bool hashed = call.attribute[2] != 0;
    const Operand *results = call.at + (hashed ? 3 : 2);
    i32 *chosen = matrix_row<i32>(results[0], i);
    float *weights = matrix_row<float>(results[1], i);
    const Scores scores = scores_of(matrix_row<const float>(call.at[0], i), experts, kind);
    if (hashed) {
        const i32 id = static_cast<const i32 *>(call.at[1].data)[i];
        copy_sorted(matrix_row<const i32>(call.at[2], id), k, chosen);
    } else {
        const float *bias = static_cast<const float *>(call.at[1].data);
        choose(experts, k, [&](i64 e) { return preference(scores.at(e), bias[e], e); }, chosen);
    }
    __syncwarp();
    double sum = 0;
    for (i64 j = 0; j < k; j++) {
        sum += scores.at(chosen[j]);
    }
    for (i64 j = lane_id(); j < k; j += WARP) {
        weights[j] = share_of(scores.at(chosen[j]), sum, kind) * static_cast<float>(real(call.attribute[3]));
    }
}

// ---- dispatch ----

// One block per expert, and one for those elsewhere: where the rows of the expert begin, and its pairs (row, choice) ascending.
// Attributes: experts here, the first of them.
WEFT_KERNEL(moe_order, THREADS) {
    __shared__ i32 parts[WARP];
    const i64 rows = call.at[1].dims[0];
    const i64 k = call.at[1].dims[1];
    const i32 expert = static_cast<i32>(blockIdx.x);
    // a thread has consecutive rows, so that the order of the threads is that of the pairs
    const i64 share = ceil_div(rows, THREADS);
    const i64 begin = min(share * threadIdx.x, rows);
    const i64 end = min(begin + share, rows);
    i32 smaller = 0;
    i32 equal = 0;
    for (i64 i = begin; i < end; i++) {
        const i32 *chosen = matrix_row<const i32>(call.at[1], i);
        for (i64 j = 0; j < k; j++) {
            const i32 here = expert_here(call, chosen[j]);
            smaller += here < expert ? 1 : 0;
            equal += here == expert ? 1 : 0;
        }
    }
    const i32 first = block_sum(smaller);
    if (threadIdx.x == 0) {
        static_cast<i32 *>(call.at[6].data)[expert] = first;
    }
    i32 total;
    i64 place = first + block_sum_before(equal, parts, total);
    for (i64 i = begin; i < end; i++) {
        const i32 *chosen = matrix_row<const i32>(call.at[1], i);
        for (i64 j = 0; j < k; j++) {
            if (expert_here(call, chosen[j]) == expert) {
                static_cast<i32 *>(call.at[5].data)[place] = static_cast<i32>(i * k + j);
                static_cast<float *>(call.at[4].data)[place] = matrix_row<const float>(call.at[2], i)[j];
                place++;
            }
        }
    }
}

// One block per result row.
WEFT_KERNEL(moe_copy, THREADS) {
    dispatch_row(Crew::block(), call, source_row(call, blockIdx.x), blockIdx.x);
}

// ---- the way to the ranks and back ----

// Where the chosen experts are, and where their outputs will be; one thread per choice. Attribute: experts of a rank; table 0:
// the place of every expert.
WEFT_KERNEL(moe_addresses, THREADS) {
    const i64 rows = call.at[0].dims[0];
    const i64 k = call.at[0].dims[1];
    const i64 most = call.at[1].dims[0];
    const i64 pair = global_thread();
    if (pair >= most * k) {
        return;
    }
    const i64 i = pair / k;
    i32 *place = matrix_row<i32>(call.at[1], i) + pair % k;
    if (i >= rows) {
        *place = -1;
        return;
    }
    const i32 expert = matrix_row<const i32>(call.at[0], i)[pair % k];
    const i64 there = static_cast<i64>(static_cast<const float *>(call.table[0])[expert]);
    *place = static_cast<i32>(there);
    static_cast<i32 *>(call.at[2].data)[pair] = static_cast<i32>(there / call.attribute[0] * most * k + pair);
    static_cast<i32 *>(call.at[3].data)[pair] = static_cast<i32>(pair);
}

// z[source[p]] = y[p], one block per row.
WEFT_KERNEL(unsort, THREADS) {
    const Rows y = rows_of(call.at[0]);
    const Rows z = rows_of(call.at[2]);
    copy_row(Crew::block(), y, blockIdx.x, z, static_cast<const i32 *>(call.at[1].data)[blockIdx.x]);
}

// ---- activation ----

// y = w * (silu(min(g, limit)) * clamp(u, -limit, limit)), one thread per element, rows along x of the grid. Attributes:
// limit, weighted.
WEFT_KERNEL(swi_glu_simple, THREADS) {
    const Rows gate = rows_of(call.at[0]);
    const Rows up = rows_of(call.at[1]);
    const bool weighted = call.attribute[1] != 0;
    const Rows y = rows_of(call.at[weighted ? 3 : 2]);
    const i64 i = blockIdx.x;
    const i64 c = static_cast<i64>(blockIdx.y) * THREADS + threadIdx.x;
    if (c >= y.columns) {
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

// out[i] = ((0 + y[e_1]) + ... + y[e_k]) + shared[i], one thread per element, rows along x of the grid.
WEFT_KERNEL(moe_combine_simple, THREADS) {
    const Rows y = rows_of(call.at[0]);
    const Rows shared = rows_of(call.at[2]);
    const Rows out = rows_of(call.at[3]);
    const i64 i = blockIdx.x;
    const i64 c = static_cast<i64>(blockIdx.y) * THREADS + threadIdx.x;
    if (c >= out.columns) {
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

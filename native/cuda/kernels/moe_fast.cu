// Mixture of experts: choice by a block per row, activation and sum 16 bytes at a time.
#include "weft/cuda/gate.cuh"
#include "weft/cuda/vectors.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int RUN = 8;  // elements of a thread

}  // namespace

// ---- gate ----

// One block per row. Shared memory: preferences and scores of all experts, then the chosen. Attributes: topK, score, hashed,
// routeScale.
WEFT_KERNEL(moe_gate, THREADS) {
    WEFT_SHARED_MEMORY(u64, preferences);
    const i64 experts = call.at[0].dims[1];
    const i64 i = blockIdx.x;
    const i64 k = call.attribute[0];
    const i64 kind = call.attribute[1];
    const bool hashed = call.attribute[2] != 0;
    float *all = reinterpret_cast<float *>(preferences + experts);
    i32 *chosen = reinterpret_cast<i32 *>(all + experts);
    const Scores scores = scores_of(matrix_row<const float>(call.at[0], i), experts, kind);
    if (!hashed) {
        const float *bias = static_cast<const float *>(call.at[1].data);
        for (i64 e = threadIdx.x; e < experts; e += THREADS) {
            all[e] = scores.at(e);
            preferences[e] = preference(all[e], bias[e], e);
        }
        __syncthreads();
    }
    if (warp_id() > 0) {
        return;
    }
    if (hashed) {
        const i32 id = static_cast<const i32 *>(call.at[1].data)[i];
        copy_sorted(matrix_row<const i32>(call.at[2], id), k, chosen);
        __syncwarp();
        for (i64 j = lane_id(); j < k; j += WARP) {
            all[j] = scores.at(chosen[j]);
        }
    } else {
        choose(experts, k, [&](i64 e) { return preferences[e]; }, chosen);
    }
    __syncwarp();
    const auto score = [&](i64 j) { return all[hashed ? j : chosen[j]]; };
    double sum = 0;
    for (i64 j = 0; j < k; j++) {
        sum += score(j);
    }
    const Operand *results = call.at + (hashed ? 3 : 2);
    for (i64 j = lane_id(); j < k; j += WARP) {
        matrix_row<i32>(results[0], i)[j] = chosen[j];
        matrix_row<float>(results[1], i)[j] = share_of(score(j), sum, kind) * static_cast<float>(real(call.attribute[3]));
    }
}

// ---- activation ----

namespace {

// Rows along x of the grid, runs of columns along y.
template <class T>
__device__ __forceinline__ void swi_glu(const Call &call) {
    const Rows gate = rows_of(call.at[0]);
    const Rows up = rows_of(call.at[1]);
    const bool weighted = call.attribute[1] != 0;
    const Rows y = rows_of(call.at[weighted ? 3 : 2]);
    const i64 i = blockIdx.x;
    const i64 c = (static_cast<i64>(blockIdx.y) * THREADS + threadIdx.x) * RUN;
    const T *g_from = gate.row<T>(i) + c;
    const T *u_from = up.row<T>(i) + c;
    T *to = y.row<T>(i) + c;
    float g[RUN];
    float u[RUN];
    load_run(g_from, y.columns - c, is_aligned(g_from, 16), g);
    load_run(u_from, y.columns - c, is_aligned(u_from, 16), u);
    const float limit = static_cast<float>(real(call.attribute[0]));
    const float weight = weighted ? static_cast<const float *>(call.at[2].data)[i] : 1.0f;
#pragma unroll
    for (int j = 0; j < RUN; j++) {
        // comparisons, because the minimum of a NaN and a number would be the number
        const float gj = g[j] > limit ? limit : g[j];
        const float uj = u[j] > limit ? limit : u[j] < -limit ? -limit : u[j];
        g[j] = weight * (gj / (1 + expf(-gj)) * uj);
    }
    store_run(to, y.columns - c, is_aligned(to, 16), g);
}

}  // namespace

// y = w * (silu(min(g, limit)) * clamp(u, -limit, limit)). Attributes: limit, weighted.
WEFT_KERNEL(swi_glu_f32, THREADS) {
    swi_glu<float>(call);
}

WEFT_KERNEL(swi_glu_bf16, THREADS) {
    swi_glu<bf16>(call);
}

// ---- combination ----

namespace {

// Rows along x of the grid, runs of columns along y. Shared memory: where the outputs for the row's choices are, which the
// block looks up itself if there are few, else in the workspace. Launch word: whether it looks.
template <class T>
__device__ __forceinline__ void combine(const Call &call) {
    WEFT_SHARED_MEMORY(i32, places);
    const Rows y = rows_of(call.at[0]);
    const Rows shared = rows_of(call.at[2]);
    const Rows out = rows_of(call.at[3]);
    const i64 i = blockIdx.x;
    const i64 k = y.count / out.count;
    if (call.attribute[0] != 0) {
        const i32 *source = static_cast<const i32 *>(call.at[1].data);
        for (i64 p = threadIdx.x; p < y.count; p += THREADS) {
            const i64 choice = source[p] - i * k;
            if (choice >= 0 && choice < k) {
                places[choice] = static_cast<i32>(p);
            }
        }
    } else {
        for (i64 j = threadIdx.x; j < k; j += THREADS) {
            places[j] = static_cast<const i32 *>(call.workspace)[i * k + j];
        }
    }
    __syncthreads();
    const i64 c = (static_cast<i64>(blockIdx.y) * THREADS + threadIdx.x) * RUN;
    const i64 left = out.columns - c;
    float sum[RUN] = {};
    for (i64 j = 0; j <= k; j++) {
        const T *from = (j < k ? y.row<T>(places[j]) : shared.row<T>(i)) + c;
        float v[RUN];
        load_run(from, left, is_aligned(from, 16), v);
#pragma unroll
        for (int e = 0; e < RUN; e++) {
            sum[e] += v[e];
        }
    }
    T *to = out.row<T>(i) + c;
    store_run(to, left, is_aligned(to, 16), sum);
}

}  // namespace

// out[i] = ((0 + y[e_1]) + ... + y[e_k]) + shared[i].
WEFT_KERNEL(moe_combine_f32, THREADS) {
    combine<float>(call);
}

WEFT_KERNEL(moe_combine_bf16, THREADS) {
    combine<bf16>(call);
}

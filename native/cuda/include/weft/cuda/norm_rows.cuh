// Norms and the Hadamard rotation of one row, with 16-byte loads, by a warp or by a block.
#ifndef WEFT_CUDA_NORM_ROWS_CUH
#define WEFT_CUDA_NORM_ROWS_CUH

#include "weft/cuda/async.cuh"
#include "weft/cuda/vectors.cuh"

namespace weft {

constexpr int TEAM_THREADS = 256;  // of a block that shares a row
constexpr int RUN = 8;             // values that a thread moves at once

// Widest row of a warp; a wider one takes a block.
constexpr i64 WARP_COLUMNS = 1024;

// The threads that share a row: the warp or the block.
template <bool BLOCK>
struct Team {
    i64 row;
    int member;

    static constexpr int SIZE = BLOCK ? TEAM_THREADS : WARP;

    __device__ __forceinline__ explicit Team(i64 row)
        : row(row), member(BLOCK ? static_cast<int>(threadIdx.x) : lane_id()) {}

    __device__ __forceinline__ float sum(float x) const {
        return BLOCK ? block_sum(x) : warp_sum(x);
    }

    // Sum of f over the row.
    template <class T, class F>
    __device__ __forceinline__ float row_sum(const T *x, i64 columns, const F &f) const {
        const bool aligned = is_aligned(x, 16);
        float total = 0;
        for (i64 c = member * RUN; c < columns; c += SIZE * RUN) {
            float v[RUN];
            load_run(x + c, columns - c, aligned, v);
#pragma unroll
            for (int e = 0; e < RUN; e++) {
                total += f(v[e]);
            }
        }
        return sum(total);
    }
};

__device__ __forceinline__ float inverse_root(float x) {
    return 1.0f / sqrtf(x);
}

// Calls f(v, c) with runs of the row and stores what it leaves in v.
template <class TEAM, class T, class F>
__device__ __forceinline__ void map_row(const TEAM &team, const T *x, T *y, i64 columns, const F &f) {
    const bool x_aligned = is_aligned(x, 16);
    const bool y_aligned = is_aligned(y, 16);
    for (i64 c = team.member * RUN; c < columns; c += TEAM::SIZE * RUN) {
        float v[RUN];
        load_run(x + c, columns - c, x_aligned, v);
        f(v, c);
        store_run(y + c, columns - c, y_aligned, v);
    }
}

// What RmsNorm multiplies a row by, before its weights.
template <bool BLOCK, class T>
__device__ __forceinline__ float norm_factor(const Call &call, i64 row) {
    const Rows x = rows_of(call.at[0]);
    const float squares = Team<BLOCK>(row).row_sum(x.row<const T>(row), x.columns, [](float v) { return v * v; });
    return inverse_root(squares / static_cast<float>(x.columns) + static_cast<float>(real(call.attribute[0])));
}

// Prefetches the weights, by a block before the kernels ahead have ended: a row would wait for them when its sum is known.
__device__ __forceinline__ void prefetch_norm(const Call &call) {
    prefetch_bytes(call.at[1].data, call.at[1].dims[0] * bytes_of(call.at[1].dtype));
}

template <bool BLOCK, class T, class W>
__device__ __forceinline__ void rms_norm_row(const Call &call, i64 row) {
    const Team<BLOCK> team(row);
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[2]);
    if (team.row >= x.count) {
        return;
    }
    const W *w = static_cast<const W *>(call.at[1].data);
    const T *from = x.row<const T>(team.row);
    const float factor = norm_factor<BLOCK, T>(call, row);
    const bool aligned = is_aligned(w, 16);
    map_row(team, from, y.row<T>(team.row), x.columns, [&](float (&v)[RUN], i64 c) {
        float weights[RUN];
        load_run(w + c, x.columns - c, aligned, weights);
#pragma unroll
        for (int e = 0; e < RUN; e++) {
            v[e] = weights[e] * (v[e] * factor);
        }
    });
}

template <bool BLOCK>
__device__ __forceinline__ void rms_norm(const Call &call, i64 row) {
    const bool wide = call.at[1].dtype == F32;
    if (call.at[0].dtype == F32) {
        wide ? rms_norm_row<BLOCK, float, float>(call, row) : rms_norm_row<BLOCK, float, bf16>(call, row);
    } else {
        wide ? rms_norm_row<BLOCK, bf16, float>(call, row) : rms_norm_row<BLOCK, bf16, bf16>(call, row);
    }
}

template <bool BLOCK, class T>
__device__ __forceinline__ void head_norm_row(const Call &call, i64 row) {
    const Team<BLOCK> team(row);
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    if (team.row >= x.count) {
        return;
    }
    const T *from = x.row<const T>(team.row);
    // with BF16 every intermediate result is a BF16 tensor in the publisher's code
    const float squares = team.row_sum(from, x.columns, [](float v) { return round_to<T>(v * v); });
    const float mean = round_to<T>(squares / static_cast<float>(x.columns));
    const float factor = round_to<T>(inverse_root(round_to<T>(mean + static_cast<float>(real(call.attribute[0])))));
    map_row(team, from, y.row<T>(team.row), x.columns, [&](float (&v)[RUN], i64) {
#pragma unroll
        for (int e = 0; e < RUN; e++) {
            v[e] *= factor;
        }
    });
}

template <bool BLOCK>
__device__ __forceinline__ void head_norm(const Call &call, i64 row) {
    call.at[0].dtype == F32 ? head_norm_row<BLOCK, float>(call, row) : head_norm_row<BLOCK, bf16>(call, row);
}

// ---- Hadamard: rows of 128 in a warp, four neighbours in a lane

template <class T>
__device__ __forceinline__ void hadamard_row(const Call &call, i64 i) {
    const Rows x = rows_of(call.at[0]);
    if (i >= x.count) {
        return;
    }
    const T *from = x.row<const T>(i) + 4 * lane_id();
    float v[4];
    load_run(from, 4, is_aligned(from, 4 * sizeof(T)), v);
    const float a[4] = {v[0] + v[1], v[0] - v[1], v[2] + v[3], v[2] - v[3]};
    v[0] = a[0] + a[2];
    v[1] = a[1] + a[3];
    v[2] = a[0] - a[2];
    v[3] = a[1] - a[3];
#pragma unroll
    for (int stride = 1; stride < WARP; stride *= 2) {
        const bool upper = (lane_id() & stride) != 0;
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const float other = __shfl_xor_sync(ALL_LANES, v[e], stride);
            v[e] = upper ? other - v[e] : v[e] + other;
        }
    }
    constexpr float FACTOR = 0x1.6a09e6p-4f;  // 128^-0.5
#pragma unroll
    for (int e = 0; e < 4; e++) {
        v[e] *= FACTOR;
    }
    T *to = rows_of(call.at[1]).row<T>(i) + 4 * lane_id();
    store_run(to, 4, is_aligned(to, 4 * sizeof(T)), v);
}

__device__ __forceinline__ void hadamard_128(const Call &call, i64 row) {
    call.at[0].dtype == F32 ? hadamard_row<float>(call, row) : hadamard_row<bf16>(call, row);
}

}  // namespace weft

#endif

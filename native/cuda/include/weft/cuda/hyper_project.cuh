// The projection of hyper-connections by a warp per coefficient and chunk: a lane owns four columns of every 128, its sum runs
// over them, then lanes are added as in warp_sum.
#ifndef WEFT_CUDA_HYPER_PROJECT_CUH
#define WEFT_CUDA_HYPER_PROJECT_CUH

#include "weft/cuda/async.cuh"
#include "weft/cuda/hyper.cuh"
#include "weft/cuda/vectors.cuh"

namespace weft {

constexpr int STEP = 4 * WARP;
constexpr int STEPS = CHUNK / STEP;

// The lane's columns of a chunk, all loads at once: there are too few warps to hide them otherwise.
struct LaneColumns {
    float of[STEPS][4];

    template <bool WHOLE, class T>
    __device__ __forceinline__ void load(const T *from, i64 left) {
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            const int c = step * STEP + 4 * lane_id();
            load_run(from + c, WHOLE ? CHUNK : left - c, WHOLE, of[step]);
        }
    }
};

template <bool WHOLE, class T>
__device__ __forceinline__ float chunk_dot(const T *u, const LaneColumns &w, i64 left) {
    float sum = 0;
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const int c = step * STEP + 4 * lane_id();
        float a[4];
        load_run(u + c, WHOLE ? CHUNK : left - c, WHOLE, a);
#pragma unroll
        for (int e = 0; e < 4; e++) {
            sum = fmaf(a[e], w.of[step][e], sum);
        }
    }
    return warp_sum(sum);
}

template <bool WHOLE, class T>
__device__ __forceinline__ float chunk_squares(const T *u, i64 left) {
    float sum = 0;
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const int c = step * STEP + 4 * lane_id();
        float a[4];
        load_run(u + c, WHOLE ? CHUNK : left - c, WHOLE, a);
#pragma unroll
        for (int e = 0; e < 4; e++) {
            sum = fmaf(a[e], a[e], sum);
        }
    }
    return warp_sum(sum);
}

// Rows of streams of which a warp has a chunk each.
template <class T>
struct ChunkRows {
    const T *u;  // chunk of the first
    i64 pitch;
    i64 first;
    int count;
};

template <bool WHOLE, class T>
__device__ __forceinline__ void project_rows(const Call &call, const ChunkRows<T> &rows, i64 chunk, i64 mix, const float *w,
                                             i64 left) {
    const bool squares = mix == call.at[1].dims[0];
    float *to = partial_sums(call, rows.first, chunk) + mix;
    const i64 stride = partial_sums(call, 1, 0) - partial_sums(call, 0, 0);
    const T *u = rows.u;
    LaneColumns columns;
    if (!squares) {
        columns.load<WHOLE>(w, left);
    }
#pragma unroll 1
    for (int r = 0; r < rows.count; r++, u += rows.pitch, to += stride) {
        const float sum = squares ? chunk_squares<WHOLE>(u, left) : chunk_dot<WHOLE>(u, columns, left);
        if (lane_id() == 0) {
            *to = sum;
        }
    }
}

// The weights of a coefficient in a chunk of columns; behind the last coefficient those of the first, which nobody uses.
__device__ __forceinline__ const float *chunk_weights(const Call &call, i64 chunk, i64 mix) {
    const Rows fn = rows_of(call.at[1]);
    return fn.row<const float>(mix < fn.count ? mix : 0) + chunk * CHUNK;
}

// Prefetches them, by a warp, before the kernels ahead have ended. A matrix has 1.5 MB.
__device__ __forceinline__ void prefetch_chunk(const Call &call, i64 chunk, i64 mix) {
    const float *w = chunk_weights(call, chunk, mix);
    if (lane_id() == 0 && mix < call.at[1].dims[0] && (chunk + 1) * CHUNK <= call.at[1].dims[1] && is_aligned(w, 16)) {
        prefetch_run(w, CHUNK * sizeof(float));
    }
}

// The sums of a coefficient over a chunk of rows, or, behind the last coefficient, those of the squares; by a warp.
template <class T>
__device__ __forceinline__ void project_chunk(const Call &call, const ChunkRows<T> &rows, i64 chunk, i64 mix) {
    const float *w = chunk_weights(call, chunk, mix);
    const i64 left = call.at[1].dims[1] - chunk * CHUNK;
    const bool aligned = is_aligned(rows.u, 16) && is_aligned(w, 16) && rows.pitch * sizeof(T) % 16 == 0;
    left >= CHUNK && aligned ? project_rows<true>(call, rows, chunk, mix, w, left)
                             : project_rows<false>(call, rows, chunk, mix, w, left);
}

}  // namespace weft

#endif

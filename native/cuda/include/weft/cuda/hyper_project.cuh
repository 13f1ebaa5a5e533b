// The projection of hyper-connections by a warp per coefficient and chunk: a lane owns four columns of every 128, its sum runs
// over them, then lanes are added as in warp_sum.
#ifndef WEFT_CUDA_HYPER_PROJECT_CUH
#define WEFT_CUDA_HYPER_PROJECT_CUH

#include "weft/cuda/hyper.cuh"
#include "weft/cuda/vectors.cuh"

namespace weft {

constexpr int STEP = 4 * WARP;
constexpr int STEPS = CHUNK / STEP;

template <bool WHOLE, class T>
__device__ __forceinline__ float chunk_dot(const T *u, const float *w, i64 left) {
    float b[STEPS][4];  // all loads at once: there are too few warps to hide them otherwise
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const int c = step * STEP + 4 * lane_id();
        load_run(w + c, WHOLE ? CHUNK : left - c, WHOLE, b[step]);
    }
    float sum = 0;
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const int c = step * STEP + 4 * lane_id();
        float a[4];
        load_run(u + c, WHOLE ? CHUNK : left - c, WHOLE, a);
#pragma unroll
        for (int e = 0; e < 4; e++) {
            sum = fmaf(a[e], b[step][e], sum);
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


// The sum of a coefficient over a chunk of a row's streams, or, behind the last coefficient, that of the squares; by a warp.
// u: the chunk.
template <class T>
__device__ __forceinline__ void project_chunk(const Call &call, const T *u, i64 row, i64 chunk, i64 mix) {
    const Rows fn = rows_of(call.at[1]);
    const float *w = fn.row<const float>(mix < fn.count ? mix : 0) + chunk * CHUNK;
    const i64 left = fn.columns - chunk * CHUNK;
    const bool whole = left >= CHUNK && is_aligned(u, 16) && is_aligned(w, 16);
    float sum;
    if (mix < fn.count) {
        sum = whole ? chunk_dot<true>(u, w, left) : chunk_dot<false>(u, w, left);
    } else {
        sum = whole ? chunk_squares<true>(u, left) : chunk_squares<false>(u, left);
    }
    if (lane_id() == 0) {
        partial_sums(call, row, chunk)[mix] = sum;
    }
}

}  // namespace weft

#endif

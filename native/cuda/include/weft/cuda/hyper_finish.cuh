// What follows the projection of a hyper-connection, for one row.
#ifndef WEFT_CUDA_HYPER_FINISH_CUH
#define WEFT_CUDA_HYPER_FINISH_CUH

#include "weft/cuda/async.cuh"
#include "weft/cuda/hyper.cuh"
#include "weft/cuda/vectors.cuh"

namespace weft {

constexpr int MOST_SUMS = 128;

__device__ __forceinline__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

// The coefficients' logits of a row before scale and base, into shared memory.
__device__ __forceinline__ void add_chunks(const Call &call, i64 row, float eps, float *mix) {
    const int sums = static_cast<int>(call.at[1].dims[0]) + 1;
    const i64 length = call.at[1].dims[1];
    const int thread = static_cast<int>(threadIdx.x);
    float sum = 0;
    if (thread < sums) {
        const float *from = partial_sums(call, row, 0) + thread;
        for (i64 chunk = 0; chunk < ceil_div(length, CHUNK); chunk++) {
            sum += from[chunk * sums];
        }
        mix[thread] = sum;
    }
    __syncthreads();
    const float factor = 1.0f / sqrtf(mix[sums - 1] / static_cast<float>(length) + eps);
    __syncthreads();
    if (thread < sums - 1) {
        mix[thread] = sum * factor;
    }
    __syncthreads();
}

// y = the streams of a row weighted by pre, by the first `threads` threads.
template <class T>
__device__ __forceinline__ void weighted_sum(const Call &call, i64 row, const float *pre, int streams, int threads) {
    constexpr int N = 8;
    const i64 width = call.at[0].dims[2];
    const T *x = at_index<const T>(call.at[0], row);
    T *y = at_index<T>(call.at[4], row);
    const bool x_aligned = is_aligned(x, 16) && width % N == 0;
    const bool y_aligned = is_aligned(y, 16);
    for (i64 c = static_cast<i64>(threadIdx.x) * N; c < width; c += threads * N) {
        float sum[N] = {};
        for (int j = 0; j < streams; j++) {
            float v[N];
            load_run(x + j * width + c, width - c, x_aligned, v);
#pragma unroll
            for (int e = 0; e < N; e++) {
                sum[e] = fmaf(pre[j], v[e], sum[e]);
            }
        }
        store_run(y + c, width - c, y_aligned, sum);
    }
}

// Row lane % 4 of a 4 x 4 matrix of logits made nearly doubly stochastic; the lanes of a column are neighbours.
__device__ __forceinline__ void sinkhorn(float (&row)[STREAMS], int iterations, float eps) {
    const float most = fmaxf(fmaxf(row[0], row[1]), fmaxf(row[2], row[3]));
    float sum = 0;
#pragma unroll
    for (int k = 0; k < STREAMS; k++) {
        row[k] = expf(row[k] - most);
        sum += row[k];
    }
#pragma unroll
    for (int k = 0; k < STREAMS; k++) {
        row[k] = row[k] / sum + eps;
    }
    for (int i = 0; i < iterations; i++) {
        if (i > 0) {
            const float inverse = 1.0f / (row[0] + row[1] + row[2] + row[3] + eps);
#pragma unroll
            for (int k = 0; k < STREAMS; k++) {
                row[k] *= inverse;
            }
        }
#pragma unroll
        for (int k = 0; k < STREAMS; k++) {
            float column = row[k];
            column += __shfl_xor_sync(ALL_LANES, column, 1);
            column += __shfl_xor_sync(ALL_LANES, column, 2);
            row[k] *= 1.0f / (column + eps);
        }
    }
}

// Prefetches what finish_row reads of scale and base, or finish_coefficients, by a block before the kernels ahead have ended.
__device__ __forceinline__ void prefetch_finish(const Call &call, bool coefficients) {
    const float *scale = static_cast<const float *>(call.at[2].data);
    const float *base = static_cast<const float *>(call.at[3].data);
    prefetch_bytes(scale + coefficients, sizeof(float));
    prefetch_bytes(base + (coefficients ? STREAMS : 0), (coefficients ? MIXES - STREAMS : STREAMS) * sizeof(float));
}

constexpr int SUM_THREADS = 256;

// The entering row of HyperPre by a block, from sums of add_chunks. Attributes: iterations, eps of the norm, eps.
template <class T>
__device__ __forceinline__ void finish_row(const Call &call, i64 row, const float *mix) {
    const float *scale = static_cast<const float *>(call.at[2].data);
    const float *base = static_cast<const float *>(call.at[3].data);
    const float eps = static_cast<float>(real(call.attribute[2]));
    float pre[STREAMS];
#pragma unroll
    for (int j = 0; j < STREAMS; j++) {
        pre[j] = sigmoid(mix[j] * scale[0] + base[j]) + eps;
    }
    weighted_sum<T>(call, row, pre, STREAMS, SUM_THREADS);
}

// The coefficients of the exit of HyperPre by a warp.
__device__ __forceinline__ void finish_coefficients(const Call &call, i64 row, const float *mix) {
    const float *scale = static_cast<const float *>(call.at[2].data);
    const float *base = static_cast<const float *>(call.at[3].data);
    const int j = lane_id() % STREAMS;
    float logits[STREAMS];
#pragma unroll
    for (int k = 0; k < STREAMS; k++) {
        const int at = 2 * STREAMS + STREAMS * j + k;
        logits[k] = mix[at] * scale[2] + base[at];
    }
    sinkhorn(logits, static_cast<int>(call.attribute[0]), static_cast<float>(real(call.attribute[2])));
    if (lane_id() < STREAMS) {
        float *post = at_index<float>(call.at[5], row);
        post[j] = 2 * sigmoid(mix[STREAMS + j] * scale[1] + base[STREAMS + j]);
        float *comb = at_index<float>(call.at[6], row) + j * STREAMS;
#pragma unroll
        for (int k = 0; k < STREAMS; k++) {
            comb[k] = logits[k];
        }
    }
}

}  // namespace weft

#endif

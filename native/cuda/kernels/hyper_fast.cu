// Hyper-connections of four streams: what follows the projection of hyper_project.cu, and the exit.
#include "weft/cuda/hyper.cuh"
#include "weft/cuda/vectors.cuh"

using namespace weft;

namespace {

constexpr int MOST_SUMS = 128;

__device__ __forceinline__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

// The coefficients' logits of the block's row before scale and base, into shared memory.
__device__ __forceinline__ void add_chunks(const Call &call, float eps, float *mix) {
    const i64 row = blockIdx.x;
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

// y = the streams of the block's row weighted by pre, by the first `threads` threads.
template <class T>
__device__ __forceinline__ void weighted_sum(const Call &call, const float *pre, int threads) {
    constexpr int N = 8;
    const i64 row = blockIdx.x;
    const i64 streams = call.at[0].dims[1];
    const i64 width = call.at[0].dims[2];
    const T *x = at_index<const T>(call.at[0], row);
    T *y = at_index<T>(call.at[4], row);
    const bool x_aligned = is_aligned(x, 16) && width % N == 0;
    const bool y_aligned = is_aligned(y, 16);
    for (i64 c = static_cast<i64>(threadIdx.x) * N; c < width; c += threads * N) {
        float sum[N] = {};
        for (i64 j = 0; j < streams; j++) {
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

constexpr int SUM_THREADS = 256;

template <class T>
__device__ __forceinline__ void finish_pre(const Call &call) {
    __shared__ float mix[MOST_SUMS];
    const i64 row = blockIdx.x;
    const float *scale = static_cast<const float *>(call.at[2].data);
    const float *base = static_cast<const float *>(call.at[3].data);
    const int iterations = static_cast<int>(call.attribute[0]);
    const float eps = static_cast<float>(real(call.attribute[2]));
    add_chunks(call, static_cast<float>(real(call.attribute[1])), mix);
    if (threadIdx.x < SUM_THREADS) {
        float pre[STREAMS];
#pragma unroll
        for (int j = 0; j < STREAMS; j++) {
            pre[j] = sigmoid(mix[j] * scale[0] + base[j]) + eps;
        }
        weighted_sum<T>(call, pre, SUM_THREADS);
        return;
    }
    // one warp more, because the iterations take as long as the sum
    const int j = lane_id() % STREAMS;
    float logits[STREAMS];
#pragma unroll
    for (int k = 0; k < STREAMS; k++) {
        const int at = 2 * STREAMS + STREAMS * j + k;
        logits[k] = mix[at] * scale[2] + base[at];
    }
    sinkhorn(logits, iterations, eps);
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

template <class T>
__device__ __forceinline__ void finish_head(const Call &call) {
    __shared__ float mix[MOST_SUMS];
    const float *base = static_cast<const float *>(call.at[3].data);
    const float eps = static_cast<float>(real(call.attribute[1]));
    add_chunks(call, static_cast<float>(real(call.attribute[0])), mix);
    if (threadIdx.x < call.at[1].dims[0]) {
        const float scale = *static_cast<const float *>(call.at[2].data);
        mix[threadIdx.x] = sigmoid(mix[threadIdx.x] * scale + base[threadIdx.x]) + eps;
    }
    __syncthreads();
    weighted_sum<T>(call, mix, SUM_THREADS);
}

constexpr int POST_THREADS = 128;

// X'[k] = post_k * y + sum_j comb[j, k] * X[j], j ascending, every product rounded as in the reference.
template <class T>
__device__ __forceinline__ void post_run(const Call &call) {
    constexpr int N = 8;
    const i64 width = call.at[1].dims[2];
    const i64 blocks = ceil_div(width, POST_THREADS * N);
    const i64 row = blockIdx.x / blocks;
    const i64 c = (blockIdx.x % blocks * POST_THREADS + threadIdx.x) * N;
    if (c >= width) {
        return;
    }
    const T *y = at_index<const T>(call.at[0], row);
    const T *x = at_index<const T>(call.at[1], row);
    const float *post = at_index<const float>(call.at[2], row);
    const float *comb = at_index<const float>(call.at[3], row);
    T *out = at_index<T>(call.at[4], row);
    const bool even = width % N == 0;
    float weights[STREAMS];
    load_run(post, STREAMS, is_aligned(post, 16), weights);
    float mixing[STREAMS][STREAMS];
    float entering[N];
    load_run(y + c, width - c, is_aligned(y, 16), entering);
    float residual[STREAMS][N];
#pragma unroll
    for (int j = 0; j < STREAMS; j++) {
        load_run(comb + j * STREAMS, STREAMS, is_aligned(comb, 16), mixing[j]);
        load_run(x + j * width + c, width - c, even && is_aligned(x, 16), residual[j]);
    }
#pragma unroll
    for (int k = 0; k < STREAMS; k++) {
        float sum[N];
#pragma unroll
        for (int e = 0; e < N; e++) {
            sum[e] = weights[k] * entering[e];
#pragma unroll
            for (int j = 0; j < STREAMS; j++) {
                sum[e] += mixing[j][k] * residual[j][e];
            }
        }
        store_run(out + k * width + c, width - c, even && is_aligned(out, 16), sum);
    }
}

}  // namespace

// Attributes: iterations, eps of the norm, eps.
WEFT_KERNEL(hyper_finish_pre, SUM_THREADS + WARP) {
    if (call.at[0].dtype == BF16) {
        finish_pre<bf16>(call);
    } else {
        finish_pre<float>(call);
    }
}

// Attributes: eps of the norm, eps.
WEFT_KERNEL(hyper_finish_head, SUM_THREADS) {
    if (call.at[0].dtype == BF16) {
        finish_head<bf16>(call);
    } else {
        finish_head<float>(call);
    }
}

WEFT_KERNEL(hyper_post, POST_THREADS) {
    if (call.at[1].dtype == BF16) {
        post_run<bf16>(call);
    } else {
        post_run<float>(call);
    }
}

// Hyper-connections of four streams: what follows the projection of hyper_project.cu, and the exit.
#include "weft/cuda/hyper_finish.cuh"

using namespace weft;

namespace {

template <class T>
__device__ __forceinline__ void finish_pre(const Call &call) {
    __shared__ float mix[MOST_SUMS];
    add_chunks(call, blockIdx.x, static_cast<float>(real(call.attribute[1])), mix);
    if (threadIdx.x < SUM_THREADS) {
        finish_row<T>(call, blockIdx.x, mix);
    } else {
        // one warp more, because the iterations take as long as the sum
        finish_coefficients(call, blockIdx.x, mix);
    }
}

template <class T>
__device__ __forceinline__ void finish_head(const Call &call) {
    __shared__ float mix[MOST_SUMS];
    const float *base = static_cast<const float *>(call.at[3].data);
    const float eps = static_cast<float>(real(call.attribute[1]));
    add_chunks(call, blockIdx.x, static_cast<float>(real(call.attribute[0])), mix);
    if (threadIdx.x < call.at[1].dims[0]) {
        const float scale = *static_cast<const float *>(call.at[2].data);
        mix[threadIdx.x] = sigmoid(mix[threadIdx.x] * scale + base[threadIdx.x]) + eps;
    }
    __syncthreads();
    weighted_sum<T>(call, blockIdx.x, mix, static_cast<int>(call.at[0].dims[1]), SUM_THREADS);
}

constexpr int POST_THREADS = 128;

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
        const float column[STREAMS] = {mixing[0][k], mixing[1][k], mixing[2][k], mixing[3][k]};
        float sum[N];
        exit_run(weights[k], entering, column, residual, sum);
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

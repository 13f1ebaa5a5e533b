// Hyper-connections: H residual streams, mixed before and after every sublayer.
#include "weft/cuda/rows.cuh"
#include "weft/cuda/sinkhorn.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// Value c of the streams of row i, which lie one after the other.
__device__ __forceinline__ float stream_value(const Operand &x, i64 i, i64 c) {
    return load_element(x.data, x.dtype, i * x.pitch + c);
}

// mix = (fn . u) / sqrt(mean(u^2) + eps) of row i into shared memory, u being all streams.
__device__ __forceinline__ void mix_row(const Operand &x, const Operand &fn, i64 i, double eps, float *mix) {
    const i64 length = fn.dims[1];
    double squares = 0;
    for (i64 c = threadIdx.x; c < length; c += blockDim.x) {
        const double u = stream_value(x, i, c);
        squares += u * u;
    }
    const float factor = static_cast<float>(1 / sqrt(block_sum(squares) / static_cast<double>(length) + eps));
    for (i64 m = 0; m < fn.dims[0]; m++) {
        const float *weights = at_index<const float>(fn, m);
        double dot = 0;
        for (i64 c = threadIdx.x; c < length; c += blockDim.x) {
            dot += static_cast<double>(stream_value(x, i, c)) * weights[c];
        }
        dot = block_sum(dot);
        if (threadIdx.x == 0) {
            mix[m] = static_cast<float>(dot) * factor;
        }
    }
    __syncthreads();
}

// y = sum of the streams of row i weighted by pre, streams ascending.
__device__ __forceinline__ void weighted_sum(const Operand &x, const float *pre, const Operand &y, i64 i) {
    const i64 width = x.dims[2];
    for (i64 c = threadIdx.x; c < width; c += blockDim.x) {
        float sum = 0;
        for (i64 j = 0; j < x.dims[1]; j++) {
            sum += pre[j] * stream_value(x, i, j * width + c);
        }
        store_element(y.data, y.dtype, i * y.pitch + c, sum);
    }
}

}  // namespace

// One block per row; mixes in shared memory. Attributes: iterations, eps of the norm, eps.
WEFT_KERNEL(hyper_pre_simple, THREADS) {
    WEFT_SHARED_MEMORY(float, mix);
    const i64 i = blockIdx.x;
    const int h = static_cast<int>(call.at[0].dims[1]);
    const float *scale = static_cast<const float *>(call.at[2].data);
    const float *base = static_cast<const float *>(call.at[3].data);
    const float eps = static_cast<float>(real(call.attribute[2]));
    mix_row(call.at[0], call.at[1], i, real(call.attribute[1]), mix);
    if (threadIdx.x == 0) {
        for (int m = 0; m < (2 + h) * h; m++) {
            mix[m] = mix[m] * scale[m < h ? 0 : m < 2 * h ? 1 : 2] + base[m];
        }
        float *post = at_index<float>(call.at[5], i);
        for (int j = 0; j < h; j++) {
            mix[j] = sigmoid(mix[j]) + eps;
            post[j] = 2 * sigmoid(mix[h + j]);
        }
        float *comb = mix + 2 * h;
        sinkhorn(comb, h, static_cast<int>(call.attribute[0]), eps);
        float *result = at_index<float>(call.at[6], i);
        for (int e = 0; e < h * h; e++) {
            result[e] = comb[e];
        }
    }
    __syncthreads();
    weighted_sum(call.at[0], mix, call.at[4], i);
}

// One block per row; mixes in shared memory. Attributes: eps of the norm, eps.
WEFT_KERNEL(hyper_head_simple, THREADS) {
    WEFT_SHARED_MEMORY(float, mix);
    const i64 i = blockIdx.x;
    const float *scale = static_cast<const float *>(call.at[2].data);
    const float *base = static_cast<const float *>(call.at[3].data);
    mix_row(call.at[0], call.at[1], i, real(call.attribute[0]), mix);
    const float eps = static_cast<float>(real(call.attribute[1]));
    for (i64 j = threadIdx.x; j < call.at[0].dims[1]; j += blockDim.x) {
        mix[j] = sigmoid(mix[j] * scale[0] + base[j]) + eps;
    }
    __syncthreads();
    weighted_sum(call.at[0], mix, call.at[4], i);
}

// X'[k] = post_k * y + sum_j comb[j, k] * X[j], j ascending. One thread per element.
WEFT_KERNEL(hyper_post_simple, THREADS) {
    const Rows y = rows_of(call.at[0]);
    const Rows x = rows_of(call.at[1]);
    const Rows post = rows_of(call.at[2]);
    const Rows comb = rows_of(call.at[3]);
    const Rows out = rows_of(call.at[4]);
    const i64 h = x.inner;
    const i64 row = global_thread() / out.columns;
    const i64 c = global_thread() % out.columns;
    if (row >= out.count) {
        return;
    }
    const i64 i = row / h;
    const i64 k = row % h;
    float sum = post.load(i, k) * y.load(i, c);
    for (i64 j = 0; j < h; j++) {
        sum += comb.load(i * h + j, k) * x.load(i * h + j, c);
    }
    out.store(row, c, sum);
}

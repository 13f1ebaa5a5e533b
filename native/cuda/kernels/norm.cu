// Norms, the Hadamard rotation and rotary embedding: one block per row.
#include "weft/cuda/rotary.cuh"
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// Sum of f over the row, in F64.
template <class F>
__device__ __forceinline__ double row_sum(const Rows &x, i64 i, const F &f) {
    double sum = 0;
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        sum += f(x.load(i, c));
    }
    return block_sum(sum);
}

// 1 / sqrt(mean(x^2) + eps).
__device__ __forceinline__ float inverse_rms(const Rows &x, i64 i, double eps) {
    const double squares = row_sum(x, i, [](double v) { return v * v; });
    return static_cast<float>(1 / sqrt(squares / static_cast<double>(x.columns) + eps));
}

// The same on BF16 tensors in the publisher's code, where every intermediate result is one.
__device__ __forceinline__ float inverse_rms_bf16(const Rows &x, i64 i, float eps) {
    const double squares = row_sum(x, i, [](float v) { return round_bf16(v * v); });
    const float mean = round_bf16(static_cast<float>(squares / static_cast<double>(x.columns)));
    return round_bf16(static_cast<float>(1 / sqrt(static_cast<double>(round_bf16(mean + eps)))));
}

}  // namespace

// y = w * (x * 1/sqrt(mean(x^2) + eps)). Attribute: eps.
WEFT_KERNEL(rms_norm_simple, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows w = rows_of(call.at[1]);
    const Rows y = rows_of(call.at[2]);
    const i64 i = blockIdx.x;
    const float factor = inverse_rms(x, i, real(call.attribute[0]));
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        y.store(i, c, w.load(0, c) * (x.load(i, c) * factor));
    }
}

// y = x * 1/sqrt(mean(x^2) + eps). Attribute: eps.
WEFT_KERNEL(head_norm_simple, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const i64 i = blockIdx.x;
    const double eps = real(call.attribute[0]);
    const float factor =
        x.dtype == BF16 ? inverse_rms_bf16(x, i, static_cast<float>(eps)) : inverse_rms(x, i, eps);
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        y.store(i, c, x.load(i, c) * factor);
    }
}

// y = n^-0.5 * x * H_n by butterflies in shared memory, strides ascending.
WEFT_KERNEL(hadamard, THREADS) {
    WEFT_SHARED_MEMORY(float, row);
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const i64 i = blockIdx.x;
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        row[c] = x.load(i, c);
    }
    __syncthreads();
    for (i64 stride = 1; stride < x.columns; stride *= 2) {
        for (i64 pair = threadIdx.x; pair < x.columns / 2; pair += blockDim.x) {
            const i64 c = 2 * pair - (pair & (stride - 1));
            const float a = row[c];
            const float b = row[c + stride];
            row[c] = a + b;
            row[c + stride] = a - b;
        }
        __syncthreads();
    }
    const float factor = static_cast<float>(1 / sqrt(static_cast<double>(x.columns)));
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        y.store(i, c, row[c] * factor);
    }
}

// Rotates the last lanes of each row in adjacent pairs and copies the others: one thread per pair or other lane.
// Attributes: rotated lanes, whether backwards; table 0: frequencies.
WEFT_KERNEL(rotary, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const i32 *positions = static_cast<const i32 *>(call.at[1].data);
    const Rows y = rows_of(call.at[2]);
    const i64 pairs = call.attribute[0] / 2;
    const bool inverse = call.attribute[1] != 0;
    const float *frequencies = static_cast<const float *>(call.table[0]);
    const i64 others = x.columns - 2 * pairs;
    const i64 items = others + pairs;
    const i64 i = global_thread() / items;
    const i64 item = global_thread() % items;
    if (i >= x.count) {
        return;
    }
    if (item < others) {
        y.store(i, item, x.load(i, item));
        return;
    }
    const i64 pair = item - others;
    const i64 c = others + 2 * pair;
    float x0 = x.load(i, c);
    float x1 = x.load(i, c + 1);
    rotate_pair(x0, x1, positions[i / x.inner], frequencies[pair], inverse);
    y.store(i, c, x0);
    y.store(i, c + 1, x1);
}

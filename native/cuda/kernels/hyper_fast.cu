// Hyper-connections of four streams. The projection onto the coefficients is cut along the streams into chunks, whose sums
// `hyper_finish` adds up in order; both kernels of the projection add in the same order, so that a row's bits do not depend
// on which of them ran. A lane owns four columns of every 128; its sum runs over them, then lanes are added as in warp_sum.
#include "weft/cuda/vectors.cuh"

using namespace weft;

namespace {

constexpr int CHUNK = 1024;
constexpr int STEP = 4 * WARP;
constexpr int STREAMS = 4;
constexpr int MIXES = (2 + STREAMS) * STREAMS;
constexpr int MOST_SUMS = 128;

// Sums of a row and chunk in the workspace: those of the coefficients, then that of the squares.
__device__ __forceinline__ float *partial_sums(const Call &call, i64 row, i64 chunk) {
    const i64 sums = call.at[1].dims[0] + 1;
    return static_cast<float *>(call.workspace) + (row * ceil_div(call.at[1].dims[1], CHUNK) + chunk) * sums;
}

template <class T>
__device__ __forceinline__ const T *streams_of(const Call &call, i64 row) {
    return static_cast<const T *>(call.at[0].data) + row * call.at[0].pitch;
}

// ---- few rows: a warp per coefficient

template <bool WHOLE, class T>
__device__ __forceinline__ float chunk_dot(const T *u, const float *w, i64 left) {
    constexpr int STEPS = CHUNK / STEP;
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
    for (int step = 0; step < CHUNK / STEP; step++) {
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

template <class T>
__device__ __forceinline__ void project_few(const Call &call) {
    const Rows fn = rows_of(call.at[1]);
    const i64 sums = fn.count + 1;
    const i64 chunks = ceil_div(fn.columns, CHUNK);
    const i64 warp = global_thread() / WARP;
    const i64 mix = warp % sums;
    const i64 chunk = warp / sums % chunks;
    const i64 row = warp / sums / chunks;
    if (row >= call.at[0].dims[0]) {
        return;
    }
    const T *u = streams_of<T>(call, row) + chunk * CHUNK;
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

// ---- many rows: a warp per four rows, the weights of a step shared by the block

constexpr int MANY_WARPS = 8;
constexpr int ROW_TILE = 4;
constexpr int BLOCK_ROWS = MANY_WARPS * ROW_TILE;

// Sums of 32 values over the lanes, added as in warp_sum: lane i gets that of value i.
template <int DISTANCE = WARP / 2>
__device__ __forceinline__ float sum_transposed(float (&v)[WARP]) {
    const bool upper = (lane_id() & DISTANCE) != 0;
#pragma unroll
    for (int i = 0; i < DISTANCE; i++) {
        const float kept = upper ? v[i + DISTANCE] : v[i];
        const float given = upper ? v[i] : v[i + DISTANCE];
        v[i] = kept + __shfl_xor_sync(ALL_LANES, given, DISTANCE);
    }
    if constexpr (DISTANCE > 1) {
        return sum_transposed<DISTANCE / 2>(v);
    }
    return v[0];
}

template <class T>
__device__ __forceinline__ void project_many(const Call &call, float *weights) {
    const Rows fn = rows_of(call.at[1]);
    const i64 rows = call.at[0].dims[0];
    const i64 chunks = ceil_div(fn.columns, CHUNK);
    const i64 chunk = blockIdx.x % chunks;
    const i64 first = blockIdx.x / chunks * BLOCK_ROWS + warp_id() * ROW_TILE;
    const i64 left = fn.columns - chunk * CHUNK;
    const float *w = static_cast<const float *>(fn.data) + chunk * CHUNK;
    const bool w_aligned = is_aligned(fn.data, 16) && fn.pitch % 4 == 0;
    const T *u[ROW_TILE];
    bool u_aligned = true;
#pragma unroll
    for (int i = 0; i < ROW_TILE; i++) {
        u[i] = streams_of<T>(call, min(first + i, rows - 1)) + chunk * CHUNK;
        u_aligned &= is_aligned(u[i], 16);
    }
    float sums[ROW_TILE][WARP] = {};
#pragma unroll 1
    for (int step = 0; step < CHUNK / STEP; step++) {
        const int begin = step * STEP;
        __syncthreads();
        for (int run = static_cast<int>(threadIdx.x); run < MIXES * WARP; run += MANY_WARPS * WARP) {
            const int c = begin + run % WARP * 4;
            float v[4];
            load_run(w + run / WARP * fn.pitch + c, left - c, w_aligned, v);
            pack(weights + run * 4, v);
        }
        __syncthreads();
        const int c = begin + 4 * lane_id();
        float a[ROW_TILE][4];
#pragma unroll
        for (int i = 0; i < ROW_TILE; i++) {
            load_run(u[i] + c, left - c, u_aligned, a[i]);
        }
#pragma unroll
        for (int m = 0; m < MIXES; m++) {
            float b[4];
            unpack(weights + m * STEP + 4 * lane_id(), b);
#pragma unroll
            for (int i = 0; i < ROW_TILE; i++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    sums[i][m] = fmaf(a[i][e], b[e], sums[i][m]);
                }
            }
        }
#pragma unroll
        for (int i = 0; i < ROW_TILE; i++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                sums[i][MIXES] = fmaf(a[i][e], a[i][e], sums[i][MIXES]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < ROW_TILE; i++) {
        const float sum = sum_transposed(sums[i]);
        if (lane_id() <= MIXES && first + i < rows) {
            partial_sums(call, first + i, chunk)[lane_id()] = sum;
        }
    }
}

// ---- what follows the projection

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
    const T *x = streams_of<T>(call, row);
    T *y = static_cast<T *>(call.at[4].data) + row * call.at[4].pitch;
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
        float *post = static_cast<float *>(call.at[5].data) + row * call.at[5].pitch;
        post[j] = 2 * sigmoid(mix[STREAMS + j] * scale[1] + base[STREAMS + j]);
        float *comb = static_cast<float *>(call.at[6].data) + row * call.at[6].pitch + j * STREAMS;
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
    const T *y = static_cast<const T *>(call.at[0].data) + row * call.at[0].pitch;
    const T *x = static_cast<const T *>(call.at[1].data) + row * call.at[1].pitch;
    const float *post = static_cast<const float *>(call.at[2].data) + row * call.at[2].pitch;
    const float *comb = static_cast<const float *>(call.at[3].data) + row * call.at[3].pitch;
    T *out = static_cast<T *>(call.at[4].data) + row * call.at[4].pitch;
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

WEFT_KERNEL(hyper_project_few, 128) {
    if (call.at[0].dtype == BF16) {
        project_few<bf16>(call);
    } else {
        project_few<float>(call);
    }
}

WEFT_KERNEL(hyper_project_many_f32, MANY_WARPS * WARP) {
    WEFT_SHARED_MEMORY(float, weights);
    project_many<float>(call, weights);
}

WEFT_KERNEL(hyper_project_many_bf16, MANY_WARPS * WARP) {
    WEFT_SHARED_MEMORY(float, weights);
    project_many<bf16>(call, weights);
}

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

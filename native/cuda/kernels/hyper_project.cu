// The projection of hyper-connections, for few rows and for many. Both kernels add in the same order, so that the bits of a row
// do not depend on which of them ran: a lane owns four columns of every 128, its sum runs over them, then lanes are added as
// in warp_sum.
#include "weft/cuda/hyper_project.cuh"

using namespace weft;

namespace {

// ---- few rows: a warp per coefficient

// What a warp computes.
struct Share {
    i64 mix;
    i64 chunk;
    i64 row;

    __device__ __forceinline__ explicit Share(const Call &call) {
        const i64 sums = call.at[1].dims[0] + 1;
        const i64 chunks = ceil_div(call.at[1].dims[1], CHUNK);
        const i64 warp = global_thread() / WARP;
        mix = warp % sums;
        chunk = warp / sums % chunks;
        row = warp / sums / chunks;
    }
};

__device__ __forceinline__ void ahead_of_few(const Call &call) {
    const Share share(call);
    if (share.row == 0) {  // for all rows
        prefetch_chunk(call, share.chunk, share.mix);
    }
}

template <class T>
__device__ __forceinline__ void project_few(const Call &call) {
    const Share share(call);
    if (share.row < call.at[0].dims[0]) {
        const T *u = at_index<const T>(call.at[0], share.row) + share.chunk * CHUNK;
        project_chunk<T>(call, {u, 0, share.row, 1}, share.chunk, share.mix);
    }
}

// ---- many rows: a warp per four rows and some of the coefficients, whose weights the block shares

constexpr int ROW_TILE = 4;
constexpr int STAGES = 3;

// Sums of COUNT values over the lanes, added as in warp_sum. Every 32 / COUNT neighbouring lanes get that of a value.
template <int COUNT, int DISTANCE = WARP / 2>
__device__ __forceinline__ float sum_transposed(float (&v)[COUNT]) {
    constexpr int LEFT = COUNT * 2 * DISTANCE / WARP;  // values that a lane still has
    if constexpr (LEFT > 1) {
        const bool upper = (lane_id() & DISTANCE) != 0;
#pragma unroll
        for (int i = 0; i < LEFT / 2; i++) {
            const float kept = upper ? v[i + LEFT / 2] : v[i];
            const float given = upper ? v[i] : v[i + LEFT / 2];
            v[i] = kept + __shfl_xor_sync(ALL_LANES, given, DISTANCE);
        }
    } else {
        v[0] += __shfl_xor_sync(ALL_LANES, v[0], DISTANCE);
    }
    if constexpr (DISTANCE > 1) {
        return sum_transposed<COUNT, DISTANCE / 2>(v);
    }
    return v[0];
}

// TILE of the coefficients, from `mix` on, over a chunk: what the weights of a step are and where they go.
template <int TILE>
struct Weights {
    const float *from;
    i64 pitch;
    i64 left;  // columns
    bool aligned;

    __device__ __forceinline__ Weights(const Operand &fn, i64 mix, i64 chunk)
        : from(at_index<const float>(fn, mix) + chunk * CHUNK), pitch(fn.pitch), left(fn.dims[1] - chunk * CHUNK),
          aligned(is_aligned(from, 16) && fn.pitch % 4 == 0) {}

    // Begins to bring a step's weights [TILE][STEP] to shared memory.
    __device__ __forceinline__ void fetch(int step, float *to) const {
        for (int run = static_cast<int>(threadIdx.x); step < STEPS && run < TILE * WARP; run += static_cast<int>(blockDim.x)) {
            const int c = step * STEP + run % WARP * 4;
            const float *w = from + run / WARP * pitch + c;
            if (aligned) {
                const i64 valid = max(min(left - c, static_cast<i64>(4)), static_cast<i64>(0));
                copy_async_16(to + run * 4, w, static_cast<u32>(valid * sizeof(float)));
            } else {
                float v[4];
                load_run(w, left - c, false, v);
                pack(to + run * 4, v);
            }
        }
        commit_copies();
    }
};

// Four rows of streams over a chunk.
template <class T>
struct Streams {
    const T *from[ROW_TILE];
    i64 left;
    bool aligned;

    // Rows past the last repeat it.
    __device__ __forceinline__ Streams(const Call &call, i64 first, i64 chunk) : left(call.at[1].dims[1] - chunk * CHUNK) {
        aligned = true;
#pragma unroll
        for (int i = 0; i < ROW_TILE; i++) {
            from[i] = at_index<const T>(call.at[0], min(first + i, call.at[0].dims[0] - 1)) + chunk * CHUNK;
            aligned &= is_aligned(from[i], 4 * sizeof(T));
        }
    }

    __device__ __forceinline__ void load(int step, float (&v)[ROW_TILE][4]) const {
        const int c = step * STEP + 4 * lane_id();
#pragma unroll
        for (int i = 0; i < ROW_TILE; i++) {
            load_run(from[i] + c, step < STEPS ? left - c : 0, aligned, v[i]);
        }
    }
};

// Blocks of one axis: chunks fastest, then tiles of coefficients, then tiles of rows. Shared memory: [STAGES][TILE][STEP].
template <int TILE, class T>
__device__ __forceinline__ void project_many(const Call &call, float *shared) {
    constexpr int COUNT = TILE < 8 ? 8 : 32;  // a power of two above TILE, for the squares
    const i64 rows = call.at[0].dims[0];
    const i64 chunks = ceil_div(call.at[1].dims[1], CHUNK);
    const i64 chunk = blockIdx.x % chunks;
    const int mix = static_cast<int>(blockIdx.x / chunks % (MIXES / TILE)) * TILE;
    const i64 first = (blockIdx.x / chunks / (MIXES / TILE) * (blockDim.x / WARP) + warp_id()) * ROW_TILE;
    const Weights<TILE> weights(call.at[1], mix, chunk);
    const Streams<T> streams(call, first, chunk);
    float sums[ROW_TILE][COUNT] = {};
    for (int stage = 0; stage < STAGES - 1; stage++) {
        weights.fetch(stage, shared + stage * TILE * STEP);
    }
    float next[ROW_TILE][4];
    streams.load(0, next);
#pragma unroll 1
    for (int step = 0; step < STEPS; step++) {
        float u[ROW_TILE][4];
#pragma unroll
        for (int i = 0; i < ROW_TILE; i++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                u[i][e] = next[i][e];
            }
        }
        streams.load(step + 1, next);
        wait_copies<STAGES - 2>();
        __syncthreads();  // the step's weights are there, and those of the step before are no longer read
        weights.fetch(step + STAGES - 1, shared + (step + STAGES - 1) % STAGES * TILE * STEP);
        const float *now = shared + step % STAGES * TILE * STEP + 4 * lane_id();
#pragma unroll
        for (int m = 0; m < TILE; m++) {
            float w[4];
            unpack(now + m * STEP, w);
#pragma unroll
            for (int i = 0; i < ROW_TILE; i++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    sums[i][m] = fmaf(u[i][e], w[e], sums[i][m]);
                }
            }
        }
#pragma unroll
        for (int i = 0; i < ROW_TILE; i++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                sums[i][TILE] = fmaf(u[i][e], u[i][e], sums[i][TILE]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < ROW_TILE; i++) {
        const float sum = sum_transposed(sums[i]);
        const int m = lane_id() / (WARP / COUNT);
        const bool squares = m == TILE && mix == 0;
        if (lane_id() % (WARP / COUNT) == 0 && first + i < rows && (m < TILE || squares)) {
            partial_sums(call, first + i, chunk)[squares ? MIXES : mix + m] = sum;
        }
    }
}

constexpr int MANY_THREADS = 256;

}  // namespace

WEFT_KERNEL_AHEAD(hyper_project_few, ahead_of_few, 128) {
    call.at[0].dtype == F32 ? project_few<float>(call) : project_few<bf16>(call);
}

// A quarter of the coefficients in a block.
WEFT_KERNEL(hyper_project_some, MANY_THREADS) {
    WEFT_SHARED_MEMORY(float, shared);
    call.at[0].dtype == F32 ? project_many<MIXES / 4, float>(call, shared) : project_many<MIXES / 4, bf16>(call, shared);
}

// All coefficients in a block.
WEFT_KERNEL(hyper_project_many, MANY_THREADS) {
    WEFT_SHARED_MEMORY(float, shared);
    call.at[0].dtype == F32 ? project_many<MIXES, float>(call, shared) : project_many<MIXES, bf16>(call, shared);
}

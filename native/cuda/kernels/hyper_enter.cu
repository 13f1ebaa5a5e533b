// From one hyper-connection into the next, for few rows: the exit of a sublayer, after the sum over experts where that comes
// before it, and the projection of the streams that it leaves.
#include "weft/cuda/hyper_project.cuh"
#include "weft/cuda/moe_combine.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int RUN = 8;

// Blocks that share the coefficients of a chunk; each works out the chunk for itself, the first stores it.
constexpr int GROUPS = 4;

constexpr int MOST_CHOICES = 64;

enum Part { COMBINE, POST, PRE };

// What enters the exit: a run of columns, as the sum over experts would have been stored, or as it is.
template <class T>
__device__ __forceinline__ void entering(const Calls &calls, bool combines, i64 row, i64 choices, i64 c, i64 left,
                                         const i32 *places, float (&y)[RUN]) {
    if (!combines) {
        const T *from = at_index<const T>(calls.part[POST].at[0], row) + c;
        load_run(from, left, is_aligned(from, 16), y);
        return;
    }
    combine_run<RUN, T>(calls.part[COMBINE], row, choices, c, places, y);
#pragma unroll
    for (int e = 0; e < RUN; e++) {
        y[e] = round_to<T>(y[e]);
    }
}

template <class T>
__device__ __forceinline__ void enter(const Calls &calls) {
    __shared__ __align__(16) T streams[CHUNK];
    __shared__ i32 places[MOST_CHOICES];
    const Call &post = calls.part[POST];
    const Call &pre = calls.part[PRE];
    const bool combines = calls.part[COMBINE].attribute[PART_KIND] != 0;
    const u32 length = static_cast<u32>(pre.at[1].dims[1]);
    const u32 width = static_cast<u32>(post.at[1].dims[2]);
    const u32 chunks = (length + CHUNK - 1) / CHUNK;
    const u32 group = blockIdx.x % GROUPS;
    const u32 chunk = blockIdx.x / GROUPS % chunks;
    const i64 row = blockIdx.x / GROUPS / chunks;
    const i64 choices =
        combines ? static_cast<u32>(calls.part[COMBINE].at[1].dims[0]) / static_cast<u32>(post.at[1].dims[0]) : 0;
    if (combines) {
        find_places(calls.part[COMBINE], row, choices, places);
        __syncthreads();
    }
    const float *weights = at_index<const float>(post.at[2], row);
    const float *mixing = at_index<const float>(post.at[3], row);
    const T *x = at_index<const T>(post.at[1], row);
    T *out = at_index<T>(post.at[4], row);
    for (u32 i = threadIdx.x * RUN; i < CHUNK && chunk * CHUNK + i < length; i += THREADS * RUN) {
        const u32 stream = (chunk * CHUNK + i) / width;
        const i64 c = (chunk * CHUNK + i) % width;
        float y[RUN];
        entering<T>(calls, combines, row, choices, c, width - c, places, y);
        float column[STREAMS];
        float residual[STREAMS][RUN];
#pragma unroll
        for (int j = 0; j < STREAMS; j++) {
            column[j] = mixing[j * STREAMS + stream];
            const T *from = x + j * width + c;
            load_run(from, width - c, is_aligned(from, 16), residual[j]);
        }
        float sum[RUN];
        exit_run(weights[stream], y, column, residual, sum);
        store_run(streams + i, RUN, true, sum);
        if (group == 0) {
            T *to = out + stream * width + c;
            store_run(to, RUN, is_aligned(to, 16), sum);
        }
    }
    __syncthreads();
    const int sums = static_cast<int>(pre.at[1].dims[0]) + 1;
    const int share = (sums + GROUPS - 1) / GROUPS;
    const int first = static_cast<int>(group) * share;
    for (int mix = first + warp_id(); mix < min(sums, first + share); mix += THREADS / WARP) {
        project_chunk(pre, streams, row, chunk, mix);
    }
}

}  // namespace

// Parts: MoeCombine, of kind 0 if it is not among them, HyperPost, HyperPre. Grid: groups, chunks, rows along x. Streams are a
// multiple of eight wide.
WEFT_KERNEL_OF_CALLS(hyper_enter, THREADS) {
    calls.part[POST].at[1].dtype == F32 ? enter<float>(calls) : enter<bf16>(calls);
}

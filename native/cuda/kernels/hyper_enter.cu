// From one hyper-connection into the next, for few rows and some: the exit of a sublayer, after the sum over experts where that
// comes before it, and the projection of the streams that it leaves where another sublayer follows, or copies of the rows that
// the head wants.
#include "weft/cuda/hyper_project.cuh"
#include "weft/cuda/moe_combine.cuh"

using namespace weft;

namespace {

// Known to dev.weft.backend.cuda.kernel.HyperChain, with the words.
constexpr int THREADS = 256;
constexpr int RUN = 8;
constexpr int MOST_PLACES = 64;
constexpr int MOST_WANTED = 64;

enum Part { COMBINE, POST, PRE, GATHER };

// Words of the exit: rows of a block, and blocks that share the coefficients of a chunk; each works out the chunk for itself,
// the first stores it.
enum Word { ROWS, GROUPS };

// The part of the exit and of the projection behind it that a block computes.
struct Share {
    u32 group;
    u32 chunk;
    i64 first;  // row
    int begin;  // first coefficient
    int end;

    __device__ __forceinline__ explicit Share(const Calls &calls) {
        const Call &post = calls.part[POST];
        const u32 chunks = (STREAMS * static_cast<u32>(post.at[1].dims[2]) + CHUNK - 1) / CHUNK;
        const u32 groups = static_cast<u32>(post.attribute[GROUPS]);
        group = blockIdx.x % groups;
        chunk = blockIdx.x / groups % chunks;
        first = blockIdx.x / groups / chunks * post.attribute[ROWS];
        const int sums = static_cast<int>(calls.part[PRE].at[1].dims[0]) + 1;
        const int each = (sums + static_cast<int>(groups) - 1) / static_cast<int>(groups);
        begin = static_cast<int>(group) * each;
        end = min(sums, begin + each);
    }
};

__device__ __forceinline__ void ahead(const Calls &calls) {
    const Share share(calls);
    if (calls.part[PRE].attribute[PART_KIND] != 0 && share.first == 0) {  // for all rows
#pragma unroll 1
        for (int mix = share.begin + warp_id(); mix < share.end; mix += THREADS / WARP) {
            prefetch_chunk(calls.part[PRE], share.chunk, mix);
        }
    }
}

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

// Stores a run of a row where the head wants it, as Gather does: what is no row is wanted as NaN, and row 0 sees to that.
template <class T>
__device__ __forceinline__ void store_wanted(const Call &gather, const i32 *wanted, i64 row, i64 column, const float (&v)[RUN]) {
    const int count = static_cast<int>(gather.at[1].dims[0]);
    for (int i = 0; i < count; i++) {
        const i64 index = wanted[i];
        const bool exists = index >= 0 && index < gather.at[0].dims[0];
        if (exists ? index == row : row == 0) {
            float copied[RUN];
#pragma unroll
            for (int e = 0; e < RUN; e++) {
                copied[e] = exists ? v[e] : not_a_number();
            }
            T *to = at_index<T>(gather.at[2], i) + column;
            store_run(to, RUN, is_aligned(to, 16), copied);
        }
    }
}

// Shared memory: a chunk of the block's rows. GATHERS: whether the head follows.
template <bool GATHERS, class T>
__device__ __forceinline__ void enter(const Calls &calls, T *streams) {
    __shared__ i32 places[MOST_PLACES];
    __shared__ i32 wanted[MOST_WANTED];
    const Call &post = calls.part[POST];
    const Call &pre = calls.part[PRE];
    const bool combines = calls.part[COMBINE].attribute[PART_KIND] != 0;
    const u32 width = static_cast<u32>(post.at[1].dims[2]);
    const u32 length = STREAMS * width;
    const Share share(calls);
    const u32 chunk = share.chunk;
    const i64 first = share.first;
    const int rows = static_cast<int>(min(post.attribute[ROWS], post.at[1].dims[0] - first));
    const i64 choices =
        combines ? static_cast<u32>(calls.part[COMBINE].at[1].dims[0]) / static_cast<u32>(post.at[1].dims[0]) : 0;
    if (combines) {
        find_places(calls.part[COMBINE], first * choices, rows * choices, places);
    }
    if constexpr (GATHERS) {
        const Operand &index = calls.part[GATHER].at[1];
        for (i64 i = threadIdx.x; i < index.dims[0]; i += THREADS) {
            wanted[i] = static_cast<const i32 *>(index.data)[i];
        }
    }
    if (combines || GATHERS) {
        __syncthreads();
    }
#pragma unroll 1
    for (u32 at = threadIdx.x * RUN; at < static_cast<u32>(rows) * CHUNK; at += THREADS * RUN) {
        const u32 r = at / CHUNK;
        const u32 i = at % CHUNK;
        if (chunk * CHUNK + i >= length) {
            continue;
        }
        const i64 row = first + r;
        const u32 stream = (chunk * CHUNK + i) / width;
        const i64 c = (chunk * CHUNK + i) % width;
        float y[RUN];
        entering<T>(calls, combines, row, choices, c, width - c, places + r * choices, y);
        const float *mixing = at_index<const float>(post.at[3], row);
        const T *x = at_index<const T>(post.at[1], row);
        float column[STREAMS];
        float residual[STREAMS][RUN];
#pragma unroll
        for (int j = 0; j < STREAMS; j++) {
            column[j] = mixing[j * STREAMS + stream];
            const T *from = x + j * width + c;
            load_run(from, width - c, is_aligned(from, 16), residual[j]);
        }
        float sum[RUN];
        exit_run(at_index<const float>(post.at[2], row)[stream], y, column, residual, sum);
        store_run(streams + at, RUN, true, sum);
        if (share.group == 0) {
            T *to = at_index<T>(post.at[4], row) + stream * width + c;
            store_run(to, RUN, is_aligned(to, 16), sum);
        }
        if constexpr (GATHERS) {
            store_wanted<T>(calls.part[GATHER], wanted, row, stream * width + c, sum);
        }
    }
    if (pre.attribute[PART_KIND] == 0) {
        return;
    }
    __syncthreads();
    for (int mix = share.begin + warp_id(); mix < share.end; mix += THREADS / WARP) {
        project_chunk<T>(pre, {streams, CHUNK, first, rows}, chunk, mix);
    }
}

template <bool GATHERS>
__device__ __forceinline__ void enter(const Calls &calls) {
    WEFT_SHARED_MEMORY(float, memory);
    calls.part[POST].at[1].dtype == F32 ? enter<GATHERS>(calls, memory)
                                        : enter<GATHERS>(calls, reinterpret_cast<bf16 *>(memory));
}

}  // namespace

// Parts: MoeCombine, HyperPost, HyperPre; the first and the last of kind 0 if they are not among them. Grid: groups, chunks, tiles
// of rows along x. Streams are a multiple of eight wide.
WEFT_KERNEL_OF_CALLS_AHEAD(hyper_enter, ahead, THREADS) {
    enter<false>(calls);
}

// As hyper_enter, without HyperPre, and with Gather of at most MOST_WANTED rows behind.
WEFT_KERNEL_OF_CALLS(hyper_leave, THREADS) {
    enter<true>(calls);
}

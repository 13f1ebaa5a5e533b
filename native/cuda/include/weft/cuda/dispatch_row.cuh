// Distribution of rows to the experts that they chose.
#ifndef WEFT_CUDA_DISPATCH_ROW_CUH
#define WEFT_CUDA_DISPATCH_ROW_CUH

#include "weft/cuda/rows.cuh"

namespace weft {

// Number of an expert among those here, and how many there are if it is elsewhere. Attributes: experts here, the first of them.
__device__ __forceinline__ i32 expert_here(const Call &call, i32 expert) {
    const i64 experts = call.attribute[0];
    const i64 here = expert - call.attribute[1];
    return static_cast<i32>(here >= 0 && here < experts ? here : experts);
}

// The expert of a pair (row, choice), as expert_here.
__device__ __forceinline__ i32 expert_of_pair(const Call &call, int pair) {
    const int k = static_cast<int>(call.at[1].dims[1]);
    return expert_here(call, at_index<const i32>(call.at[1], pair / k)[pair % k]);
}

// Threads that copy a row together.
struct Crew {
    int member;
    int count;

    static __device__ __forceinline__ Crew block() {
        return {static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
    }

    static __device__ __forceinline__ Crew warp() {
        return {lane_id(), WARP};
    }
};

// Copies row i to row j.
__device__ __forceinline__ void copy_row(const Crew &crew, const Rows &from, i64 i, const Rows &to, i64 j) {
    constexpr int AT_ONCE = 4;  // loads under way
    const i64 size = bytes_of(from.dtype);
    const u8 *source = static_cast<const u8 *>(from.data) + from.at(i) * size;
    u8 *target = static_cast<u8 *>(to.data) + to.at(j) * size;
    const i64 bytes = from.columns * size;
    const bool aligned = ((reinterpret_cast<u64>(source) | reinterpret_cast<u64>(target) | bytes) & 15) == 0;
    if (aligned) {
        for (i64 first = crew.member; first < bytes / 16; first += AT_ONCE * crew.count) {
            uint4 v[AT_ONCE];
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++) {
                const i64 at = first + n * crew.count;
                v[n] = at < bytes / 16 ? reinterpret_cast<const uint4 *>(source)[at] : uint4{};
            }
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++) {
                const i64 at = first + n * crew.count;
                if (at < bytes / 16) {
                    reinterpret_cast<uint4 *>(target)[at] = v[n];
                }
            }
        }
    } else {
        for (i64 b = crew.member; b < bytes; b += crew.count) {
            target[b] = source[b];
        }
    }
}

// Copies codes and scales of row i to row p of the results.
__device__ __forceinline__ void dispatch_row(const Crew &crew, const Call &call, i64 i, i64 p) {
    const Rows from = rows_of(call.at[0]);
    copy_row(crew, from, i, rows_of(call.at[3]), p);
    if (call.at[0].scaling != 0) {
        const i64 blocks = ceil_div(from.columns, call.at[0].scaling & 0xFFFFFFFF);
        for (i64 b = crew.member; b < blocks; b += crew.count) {
            static_cast<u8 *>(call.at[3].scale)[p * blocks + b] = static_cast<const u8 *>(call.at[0].scale)[i * blocks + b];
        }
    }
}

// The row that row p of the results comes from.
__device__ __forceinline__ i64 source_row(const Call &call, i64 p) {
    return static_cast<const i32 *>(call.at[5].data)[p] / call.at[1].dims[1];
}

// Everything by one block, which has a thread for each pair (row, choice). Integers only: the result is that of moe_order and
// dispatch_row. Shared memory: the pairs' experts.
__device__ __forceinline__ void dispatch_few(const Call &call, i32 *expert_of) {
    const int rows = static_cast<int>(call.at[1].dims[0]);
    const int k = static_cast<int>(call.at[1].dims[1]);
    const int pairs = rows * k;
    const int pair = static_cast<int>(threadIdx.x);
    if (pair < pairs) {
        expert_of[pair] = expert_of_pair(call, pair);
    }
    __syncthreads();
    for (int e = pair; e < call.at[6].dims[0]; e += static_cast<int>(blockDim.x)) {
        i32 smaller = 0;
        for (int other = 0; other < pairs; other++) {
            smaller += expert_of[other] < e ? 1 : 0;
        }
        static_cast<i32 *>(call.at[6].data)[e] = smaller;
    }
    if (pair < pairs) {
        const i32 mine = expert_of[pair];
        i32 place = 0;
        for (int other = 0; other < pairs; other++) {
            place += expert_of[other] < mine || (expert_of[other] == mine && other < pair) ? 1 : 0;
        }
        static_cast<i32 *>(call.at[5].data)[place] = pair;
        static_cast<float *>(call.at[4].data)[place] = at_index<const float>(call.at[2], pair / k)[pair % k];
    }
    __syncthreads();
    for (int p = warp_id(); p < pairs; p += static_cast<int>(blockDim.x) / WARP) {
        dispatch_row(Crew::warp(), call, source_row(call, p), p);
    }
}

// One of `rows` rows by a block, a warp for each choice, and its share of the offsets: the same result. Shared memory: the pairs'
// experts.
__device__ __forceinline__ void dispatch_row_among(const Call &call, int row, int rows, i32 *expert_of) {
    const int k = static_cast<int>(call.at[1].dims[1]);
    const int pairs = rows * k;
    const int warps = static_cast<int>(blockDim.x) / WARP;
    for (int pair = static_cast<int>(threadIdx.x); pair < pairs; pair += static_cast<int>(blockDim.x)) {
        expert_of[pair] = expert_of_pair(call, pair);
    }
    __syncthreads();
    // pairs for which is_before(expert, pair), by a warp
    const auto count = [&](const auto &is_before) {
        i32 n = 0;
        for (int pair = lane_id(); pair < pairs; pair += WARP) {
            n += is_before(expert_of[pair], pair) ? 1 : 0;
        }
        return warp_sum(n);
    };
    for (int pair = row * k + warp_id(); pair < (row + 1) * k; pair += warps) {
        const i32 mine = expert_of[pair];
        const i32 place = count([&](i32 expert, int other) { return expert < mine || (expert == mine && other < pair); });
        if (lane_id() == 0) {
            static_cast<i32 *>(call.at[5].data)[place] = pair;
            static_cast<float *>(call.at[4].data)[place] = at_index<const float>(call.at[2], row)[pair - row * k];
        }
        dispatch_row(Crew::warp(), call, row, place);
    }
    for (int e = row + rows * warp_id(); e < call.at[6].dims[0]; e += rows * warps) {
        const i32 smaller = count([&](i32 expert, int) { return expert < e; });
        if (lane_id() == 0) {
            static_cast<i32 *>(call.at[6].data)[e] = smaller;
        }
    }
}

// One pair by a block, which looks for its place among all, and how many pairs have an expert below `pair`: the same result.
__device__ __forceinline__ void dispatch_pair(const Call &call, int pair) {
    const int k = static_cast<int>(call.at[1].dims[1]);
    const int pairs = static_cast<int>(call.at[1].dims[0]) * k;
    const i32 mine = pair < pairs ? expert_of_pair(call, pair) : 0;
    i32 smaller = 0;
    i32 ahead = 0;
    for (int other = static_cast<int>(threadIdx.x); other < pairs; other += static_cast<int>(blockDim.x)) {
        const i32 expert = expert_of_pair(call, other);
        smaller += expert < pair ? 1 : 0;
        ahead += expert < mine || (expert == mine && other < pair) ? 1 : 0;
    }
    smaller = block_sum(smaller);
    const i32 place = block_sum(ahead);
    if (threadIdx.x == 0 && pair < call.at[6].dims[0]) {
        static_cast<i32 *>(call.at[6].data)[pair] = smaller;
    }
    if (pair >= pairs) {
        return;
    }
    if (threadIdx.x == 0) {
        static_cast<i32 *>(call.at[5].data)[place] = pair;
        static_cast<float *>(call.at[4].data)[place] = at_index<const float>(call.at[2], pair / k)[pair % k];
    }
    dispatch_row(Crew::block(), call, pair / k, place);
}

}  // namespace weft

#endif

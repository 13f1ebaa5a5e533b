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

// Copies row i to row j, by a block.
__device__ __forceinline__ void copy_row(const Rows &from, i64 i, const Rows &to, i64 j) {
    const i64 size = bytes_of(from.dtype);
    const u8 *source = static_cast<const u8 *>(from.data) + from.at(i) * size;
    u8 *target = static_cast<u8 *>(to.data) + to.at(j) * size;
    const i64 bytes = from.columns * size;
    const bool aligned = ((reinterpret_cast<u64>(source) | reinterpret_cast<u64>(target) | bytes) & 15) == 0;
    if (aligned) {
        for (i64 v = threadIdx.x; v < bytes / 16; v += blockDim.x) {
            reinterpret_cast<uint4 *>(target)[v] = reinterpret_cast<const uint4 *>(source)[v];
        }
    } else {
        for (i64 b = threadIdx.x; b < bytes; b += blockDim.x) {
            target[b] = source[b];
        }
    }
}

// Copies codes and scales of row p of the results from the row that its source names, by a block.
__device__ __forceinline__ void dispatch_row(const Call &call, i64 p) {
    const Rows from = rows_of(call.at[0]);
    const i64 i = static_cast<const i32 *>(call.at[5].data)[p] / call.at[1].dims[1];
    copy_row(from, i, rows_of(call.at[3]), p);
    if (call.at[0].scaling != 0) {
        const i64 blocks = ceil_div(from.columns, call.at[0].scaling & 0xFFFFFFFF);
        for (i64 b = threadIdx.x; b < blocks; b += blockDim.x) {
            static_cast<u8 *>(call.at[3].scale)[p * blocks + b] = static_cast<const u8 *>(call.at[0].scale)[i * blocks + b];
        }
    }
}


// Everything by one block, which has a thread for each pair (row, choice). Integers only: the result is that of moe_order and
// dispatch_row. Shared memory: the pairs' experts.
__device__ __forceinline__ void dispatch_few(const Call &call, i32 *expert_of) {
    const int rows = static_cast<int>(call.at[1].dims[0]);
    const int k = static_cast<int>(call.at[1].dims[1]);
    const int pairs = rows * k;
    const int pair = static_cast<int>(threadIdx.x);
    if (pair < pairs) {
        expert_of[pair] = expert_here(call, at_index<const i32>(call.at[1], pair / k)[pair % k]);
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
    for (int p = 0; p < pairs; p++) {
        dispatch_row(call, p);
    }
}

}  // namespace weft

#endif

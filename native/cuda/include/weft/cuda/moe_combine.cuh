// The sum of what the experts made of a row.
#ifndef WEFT_CUDA_MOE_COMBINE_CUH
#define WEFT_CUDA_MOE_COMBINE_CUH

#include "weft/cuda/vectors.cuh"

namespace weft {

// Where the outputs for `count` choices from `first` on are, looked up among all of them by a block.
__device__ __forceinline__ void find_places(const Call &call, i64 first, i64 count, i32 *places) {
    const i32 *source = static_cast<const i32 *>(call.at[1].data);
    for (i64 p = threadIdx.x; p < call.at[1].dims[0]; p += blockDim.x) {
        const i64 choice = source[p] - first;
        if (choice >= 0 && choice < count) {
            places[choice] = static_cast<i32>(p);
        }
    }
}

// sum = ((0 + y[e_1]) + ... + y[e_k]) + shared[i] for a run of columns from c on, not rounded.
template <int N, class T>
__device__ __forceinline__ void combine_run(const Call &call, i64 i, i64 k, i64 c, const i32 *places, float (&sum)[N]) {
    const Rows y = rows_of(call.at[0]);
    const Rows shared = rows_of(call.at[2]);
#pragma unroll
    for (int e = 0; e < N; e++) {
        sum[e] = 0;
    }
    for (i64 j = 0; j <= k; j++) {
        const T *from = (j < k ? y.row<T>(places[j]) : shared.row<T>(i)) + c;
        float v[N];
        load_run(from, y.columns - c, is_aligned(from, 16), v);
#pragma unroll
        for (int e = 0; e < N; e++) {
            sum[e] += v[e];
        }
    }
}

}  // namespace weft

#endif

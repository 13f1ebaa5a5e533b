// Sums of the projection onto the coefficients of a hyper-connection, between the kernels that form and that use them. The
// streams of a row are cut into chunks of columns, whose sums are added up in order.
#ifndef WEFT_CUDA_HYPER_CUH
#define WEFT_CUDA_HYPER_CUH

#include "weft/cuda/rows.cuh"

namespace weft {

constexpr int CHUNK = 1024;
constexpr int STREAMS = 4;
constexpr int MIXES = (2 + STREAMS) * STREAMS;

// Sums of a row and chunk in the workspace: those of the coefficients, then that of the squares.
__device__ __forceinline__ float *partial_sums(const Call &call, i64 row, i64 chunk) {
    const i64 sums = call.at[1].dims[0] + 1;
    return static_cast<float *>(call.workspace) + (row * ceil_div(call.at[1].dims[1], CHUNK) + chunk) * sums;
}

// Values of stream k behind the exit: post_k * y + sum_j comb[j, k] * X[j], j ascending, every product rounded as in the
// reference. comb: column k.
template <int N>
__device__ __forceinline__ void exit_run(float post, const float (&y)[N], const float (&comb)[STREAMS],
                                         const float (&x)[STREAMS][N], float (&sum)[N]) {
#pragma unroll
    for (int e = 0; e < N; e++) {
        sum[e] = post * y[e];
#pragma unroll
        for (int j = 0; j < STREAMS; j++) {
            sum[e] += comb[j] * x[j][e];
        }
    }
}

}  // namespace weft

#endif

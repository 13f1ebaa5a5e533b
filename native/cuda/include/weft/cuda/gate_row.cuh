// The choice of experts for one row by a block of threads.
#ifndef WEFT_CUDA_GATE_ROW_CUH
#define WEFT_CUDA_GATE_ROW_CUH

#include "weft/cuda/gate.cuh"

namespace weft {

// The choice of row i, by a block. Shared memory: preferences and scores of all experts, then the chosen. Attributes: topK,
// score, hashed, routeScale.
__device__ __forceinline__ void gate_row(const Call &call, i64 i, u64 *preferences) {
    const i64 experts = call.at[0].dims[1];
    const i64 k = call.attribute[0];
    const i64 kind = call.attribute[1];
    const bool hashed = call.attribute[2] != 0;
    float *all = reinterpret_cast<float *>(preferences + experts);
    i32 *chosen = reinterpret_cast<i32 *>(all + experts);
    const Scores scores = scores_of(matrix_row<const float>(call.at[0], i), experts, kind);
    if (!hashed) {
        const float *bias = static_cast<const float *>(call.at[1].data);
        for (i64 e = threadIdx.x; e < experts; e += blockDim.x) {
            all[e] = scores.at(e);
            preferences[e] = preference(all[e], bias[e], e);
        }
        __syncthreads();
    }
    if (warp_id() > 0) {
        return;
    }
    if (hashed) {
        const i32 id = static_cast<const i32 *>(call.at[1].data)[i];
        copy_sorted(matrix_row<const i32>(call.at[2], id), k, chosen);
        __syncwarp();
        for (i64 j = lane_id(); j < k; j += WARP) {
            all[j] = scores.at(chosen[j]);
        }
    } else {
        choose(experts, k, [&](i64 e) { return preferences[e]; }, chosen);
    }
    __syncwarp();
    const auto score = [&](i64 j) { return all[hashed ? j : chosen[j]]; };
    double sum = 0;
    for (i64 j = 0; j < k; j++) {
        sum += score(j);
    }
    const Operand *results = call.at + (hashed ? 3 : 2);
    for (i64 j = lane_id(); j < k; j += WARP) {
        matrix_row<i32>(results[0], i)[j] = chosen[j];
        matrix_row<float>(results[1], i)[j] = share_of(score(j), sum, kind) * static_cast<float>(real(call.attribute[3]));
    }
}

}  // namespace weft

#endif

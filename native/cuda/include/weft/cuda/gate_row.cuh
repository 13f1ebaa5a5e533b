// The choice of experts for rows by a block of threads: all work out scores, then a warp chooses for each row.
#ifndef WEFT_CUDA_GATE_ROW_CUH
#define WEFT_CUDA_GATE_ROW_CUH

#include "weft/cuda/async.cuh"
#include "weft/cuda/gate.cuh"

namespace weft {

// A row's choice in the making. Shared memory: preferences and scores of all experts, then the chosen. Attributes: topK, score,
// hashed, routeScale.
class GateRow {
    const Call &call_;
    i64 row_;
    i64 experts_;
    i64 k_;
    bool hashed_;
    Scores scores_;
    u64 *preferences_;
    float *all_;
    i32 *chosen_;

public:
    // Bytes of shared memory, a multiple of 8.
    static __device__ __forceinline__ i64 bytes(const Call &call) {
        return (call.at[0].dims[1] * 12 + call.attribute[0] * 4 + 7) / 8 * 8;
    }

    // By whole warps.
    __device__ __forceinline__ GateRow(const Call &call, i64 row, void *memory)
        : call_(call), row_(row), experts_(call.at[0].dims[1]), k_(call.attribute[0]), hashed_(call.attribute[2] != 0),
          scores_(scores_of(matrix_row<const float>(call.at[0], row), experts_, call.attribute[1])),
          preferences_(static_cast<u64 *>(memory)), all_(reinterpret_cast<float *>(preferences_ + experts_)),
          chosen_(reinterpret_cast<i32 *>(all_ + experts_)) {}

    // By the block.
    __device__ __forceinline__ void score() const {
        if (!hashed_) {
            const float *bias = static_cast<const float *>(call_.at[1].data);
            for (i64 e = threadIdx.x; e < experts_; e += blockDim.x) {
                const float b = bias[e];  // on its way while the score is worked out
                all_[e] = scores_.at(e);
                preferences_[e] = preference(all_[e], b, e);
            }
        }
    }

    // By one warp, once all scores are there.
    __device__ __forceinline__ void choose_experts() const {
        if (hashed_) {
            const i32 id = static_cast<const i32 *>(call_.at[1].data)[row_];
            copy_sorted(matrix_row<const i32>(call_.at[2], id), k_, chosen_);
            __syncwarp();
            for (i64 j = lane_id(); j < k_; j += WARP) {
                all_[j] = scores_.at(chosen_[j]);
            }
        } else {
            choose(experts_, k_, [&](i64 e) { return preferences_[e]; }, chosen_);
        }
        __syncwarp();
        const auto score = [&](i64 j) { return all_[hashed_ ? j : chosen_[j]]; };
        double sum = 0;
        for (i64 j = 0; j < k_; j++) {
            sum += score(j);
        }
        const Operand *results = call_.at + (hashed_ ? 3 : 2);
        for (i64 j = lane_id(); j < k_; j += WARP) {
            matrix_row<i32>(results[0], row_)[j] = chosen_[j];
            matrix_row<float>(results[1], row_)[j] =
                share_of(score(j), sum, call_.attribute[1]) * static_cast<float>(real(call_.attribute[3]));
        }
    }
};

// Prefetches the bias, by a block before the kernels ahead have ended. What hashed choices read depends on them.
__device__ __forceinline__ void prefetch_gate(const Call &call) {
    if (call.attribute[2] == 0) {
        prefetch_bytes(call.at[1].data, call.at[1].dims[0] * sizeof(float));
    }
}

// The choices of rows, no more than the block has warps. Shared memory: GateRow::bytes for each.
__device__ __forceinline__ void gate_rows(const Call &call, i64 first, i64 end, void *memory) {
    u8 *at = static_cast<u8 *>(memory);
    for (i64 row = first; row < end; row++) {
        GateRow(call, row, at + (row - first) * GateRow::bytes(call)).score();
    }
    __syncthreads();
    const i64 mine = first + warp_id();
    if (mine < end) {
        GateRow(call, mine, at + warp_id() * GateRow::bytes(call)).choose_experts();
    }
}

}  // namespace weft

#endif

// Choice of experts and distribution of rows to them by the blocks of one launch. Where a row's copies go depends on the choices of
// all rows, so blocks wait for one another.
#ifndef WEFT_CUDA_ROUTE_ROWS_CUH
#define WEFT_CUDA_ROUTE_ROWS_CUH

#include "weft/cuda/dispatch_row.cuh"
#include "weft/cuda/gate_row.cuh"

namespace weft {

// Counters of a part, zero before and behind each launch.
struct RouteCounters {
    u32 begun;  // blocks that have begun
    u32 done;   // rows whose choice is made, then also blocks that have seen that all are
};

constexpr u32 BETWEEN_LOOKS = 32;  // nanoseconds

// Twice as many blocks as rows: those that begin first choose, the others distribute a row each when all have been chosen. Whatever
// order blocks begin in, those that wait do so for blocks that run and wait for nobody. Shared memory: GateRow::bytes, or the pairs'
// experts.
__device__ __forceinline__ void route_rows(const Call &gate, const Call &dispatch, void *memory) {
    auto *counters = static_cast<RouteCounters *>(gate.table[PART_COUNTERS]);
    __shared__ u32 number;
    const u32 rows = static_cast<u32>(gate.at[0].dims[0]);
    if (threadIdx.x == 0) {
        number = atomicAdd(&counters->begun, 1u);
    }
    __syncthreads();
    if (number < rows) {
        gate_rows(gate, number, number + 1, memory);
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0) {
            atomicAdd(&counters->done, 1u);
        }
        return;
    }
    if (threadIdx.x == 0) {
        while (atomicAdd(&counters->done, 0u) < rows) {
            __nanosleep(BETWEEN_LOOKS);
        }
        if (atomicAdd(&counters->done, 1u) + 1 == 2 * rows) {
            *counters = {};
        }
    }
    __syncthreads();
    __threadfence();
    dispatch_row_among(dispatch, static_cast<int>(number - rows), static_cast<int>(rows), static_cast<i32 *>(memory));
}

}  // namespace weft

#endif

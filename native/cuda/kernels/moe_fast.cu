// Mixture of experts: choice by a block per row, distribution by one per pair, activation and sum 16 bytes at a time.
#include "weft/cuda/dispatch_row.cuh"
#include "weft/cuda/gate_row.cuh"
#include "weft/cuda/moe_combine.cuh"
#include "weft/cuda/swi_glu.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int RUN = 8;  // elements of a thread

}  // namespace

// ---- gate ----

// One block per row. Shared memory and attributes: see GateRow.
WEFT_KERNEL(moe_gate, THREADS) {
    WEFT_SHARED_MEMORY(u64, memory);
    gate_rows(call, blockIdx.x, blockIdx.x + 1, memory);
}

// ---- distribution ----

// Grid: pairs of row and choice, or experts here and one more, whichever are more.
WEFT_KERNEL(moe_dispatch, THREADS) {
    dispatch_pair(call, static_cast<int>(blockIdx.x));
}

// ---- activation ----

namespace {

// Rows along x of the grid, runs of columns along y.
template <class T>
__device__ __forceinline__ void swi_glu(const Call &call) {
    swi_glu_run<T>(call, blockIdx.x, (static_cast<i64>(blockIdx.y) * THREADS + threadIdx.x) * SWI_GLU_RUN);
}

}  // namespace

// y = w * (silu(min(g, limit)) * clamp(u, -limit, limit)). Attributes: limit, weighted.
WEFT_KERNEL(swi_glu_f32, THREADS) {
    swi_glu<float>(call);
}

WEFT_KERNEL(swi_glu_bf16, THREADS) {
    swi_glu<bf16>(call);
}

// ---- combination ----

namespace {

// Rows along x of the grid, runs of columns along y. Shared memory: where the outputs for the row's choices are, which the
// block looks up itself if there are few, else in the workspace. Launch word: whether it looks.
template <class T>
__device__ __forceinline__ void combine(const Call &call) {
    WEFT_SHARED_MEMORY(i32, places);
    const Rows out = rows_of(call.at[3]);
    const i64 i = blockIdx.x;
    const i64 k = call.at[1].dims[0] / out.count;
    if (call.attribute[0] != 0) {
        find_places(call, i * k, k, places);
    } else {
        for (i64 j = threadIdx.x; j < k; j += THREADS) {
            places[j] = static_cast<const i32 *>(call.workspace)[i * k + j];
        }
    }
    __syncthreads();
    const i64 c = (static_cast<i64>(blockIdx.y) * THREADS + threadIdx.x) * RUN;
    float sum[RUN];
    combine_run<RUN, T>(call, i, k, c, places, sum);
    T *to = out.row<T>(i) + c;
    store_run(to, out.columns - c, is_aligned(to, 16), sum);
}

}  // namespace

// out[i] = ((0 + y[e_1]) + ... + y[e_k]) + shared[i].
WEFT_KERNEL(moe_combine_f32, THREADS) {
    combine<float>(call);
}

WEFT_KERNEL(moe_combine_bf16, THREADS) {
    combine<bf16>(call);
}

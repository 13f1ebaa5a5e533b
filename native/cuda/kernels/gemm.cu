// Matrix products in every format: one warp per element of the result, products and sums in F64.
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// Element n of row i of the result: row i of x times row n of matrix m of w.
__device__ __forceinline__ void multiply(const Operand &x, const Operand &w, const Rows &y, i64 i, i64 n, i64 m) {
    const Rows rows = rows_of(x);
    const Rows weights = rows_of(w);
    const i64 weight = m * y.columns + n;
    double sum = 0;
    for (i64 k = lane_id(); k < rows.columns; k += WARP) {
        sum += static_cast<double>(load_scaled(x, rows, i, k)) * load_scaled(w, weights, weight, k);
    }
    sum = warp_sum(sum);
    if (lane_id() == 0) {
        y.store(i, n, static_cast<float>(sum));
    }
}

// Number of the warp in the grid.
__device__ __forceinline__ i64 global_warp() {
    return global_thread() / WARP;
}

// The expert e with offsets[e] <= row < offsets[e + 1].
__device__ __forceinline__ i64 expert_of(const i32 *offsets, i64 experts, i64 row) {
    i64 low = 0;
    i64 high = experts - 1;
    while (low < high) {
        const i64 middle = (low + high) / 2;
        if (offsets[middle + 1] <= row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

}  // namespace

WEFT_KERNEL(gemm_simple, THREADS) {
    const Rows y = rows_of(call.at[2]);
    const i64 i = global_warp() / y.columns;
    if (i < y.count) {
        multiply(call.at[0], call.at[1], y, i, global_warp() % y.columns, 0);
    }
}

WEFT_KERNEL(grouped_gemm_simple, THREADS) {
    const Rows y = rows_of(call.at[2]);
    const i64 i = global_warp() / y.columns;
    if (i < y.count) {
        multiply(call.at[0], call.at[1], y, i, global_warp() % y.columns, i % y.inner);
    }
}

WEFT_KERNEL(expert_gemm_simple, THREADS) {
    const Rows y = rows_of(call.at[3]);
    const i64 i = global_warp() / y.columns;
    if (i < y.count) {
        const i64 expert = expert_of(static_cast<const i32 *>(call.at[2].data), call.at[1].dims[0], i);
        multiply(call.at[0], call.at[1], y, i, global_warp() % y.columns, expert);
    }
}

// Matrix products in every format: one warp per element of the result, products and sums in F64.
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// A row of an operand, its block scales applied.
struct ScaledRow {
    const void *data;
    i64 dtype;
    i64 first;        // element
    const u8 *scale;  // null for none
    u32 block;        // columns of a scale

    __device__ __forceinline__ ScaledRow(const Operand &o, u32 row) {
        const Rows rows = rows_of(o);
        const u32 inner = static_cast<u32>(rows.inner);
        data = o.data;
        dtype = o.dtype;
        first = row / inner * rows.pitch + row % inner * rows.columns;
        block = static_cast<u32>(o.scaling);
        scale = nullptr;
        if (block != 0) {
            const u32 block_rows = static_cast<u32>(o.scaling >> 32);
            const u32 height = static_cast<u32>(o.dims[o.rank - 2]);
            const u32 scale_row = row / height * ((height + block_rows - 1) / block_rows) + row % height / block_rows;
            const u32 scale_columns = (static_cast<u32>(rows.columns) + block - 1) / block;
            scale = static_cast<const u8 *>(o.scale) + static_cast<i64>(scale_row) * scale_columns;
        }
    }

    // Exact.
    __device__ __forceinline__ double at(u32 k) const {
        const float code = load_element(data, dtype, first + k);
        return scale == nullptr ? code : code * e8m0_to_float(scale[k / block]);
    }
};

// The warp's element of row i of the result: row i of x times a row of matrix m of w. Rows along x of the grid.
__device__ __forceinline__ void multiply(const Operand &x, const Operand &w, const Rows &y, u32 i, u32 m) {
    const u32 n = blockIdx.y * (THREADS / WARP) + static_cast<u32>(warp_id());
    if (n >= y.columns) {
        return;
    }
    const ScaledRow tokens(x, i);
    const ScaledRow weights(w, m * static_cast<u32>(y.columns) + n);
    const u32 inputs = static_cast<u32>(w.dims[w.rank - 1]);
    double sum = 0;
    for (u32 k = static_cast<u32>(lane_id()); k < inputs; k += WARP) {
        sum += tokens.at(k) * weights.at(k);
    }
    sum = warp_sum(sum);
    if (lane_id() == 0) {
        y.store(i, n, static_cast<float>(sum));
    }
}

// The expert e with offsets[e] <= row < offsets[e + 1].
__device__ __forceinline__ u32 expert_of(const i32 *offsets, i64 experts, u32 row) {
    u32 low = 0;
    u32 high = static_cast<u32>(experts) - 1;
    while (low < high) {
        const u32 middle = (low + high) / 2;
        if (static_cast<u32>(offsets[middle + 1]) <= row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

}  // namespace

WEFT_KERNEL(gemm_simple, THREADS) {
    multiply(call.at[0], call.at[1], rows_of(call.at[2]), blockIdx.x, 0);
}

WEFT_KERNEL(grouped_gemm_simple, THREADS) {
    const u32 groups = static_cast<u32>(call.at[1].dims[0]);
    multiply(call.at[0], call.at[1], rows_of(call.at[2]), blockIdx.x, blockIdx.x % groups);
}

WEFT_KERNEL(expert_gemm_simple, THREADS) {
    const u32 expert = expert_of(static_cast<const i32 *>(call.at[2].data), call.at[1].dims[0], blockIdx.x);
    multiply(call.at[0], call.at[1], rows_of(call.at[3]), blockIdx.x, expert);
}

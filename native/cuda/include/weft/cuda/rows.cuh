// Operands as rows of their last axis, and sums over rows. Every reduction adds in an order that depends on the number of
// threads of the block alone.
#ifndef WEFT_CUDA_ROWS_CUH
#define WEFT_CUDA_ROWS_CUH

#include "weft/cuda/small_floats.cuh"

namespace weft {

constexpr int WARP = 32;
constexpr u32 ALL_LANES = 0xFFFFFFFFu;

__device__ __forceinline__ i64 ceil_div(i64 value, i64 unit) {
    return (value + unit - 1) / unit;
}

// Attribute word that holds the bits of a double.
__device__ __forceinline__ double real(i64 word) {
    return __longlong_as_double(word);
}

// ---- addressing ----

// A row is the last axis; rows are numbered over all leading axes together. Axis 0 may have a pitch.
struct Rows {
    void *data;
    i64 dtype;
    i64 count;
    i64 inner;    // rows per index of axis 0
    i64 columns;
    i64 pitch;    // elements between indices of axis 0

    // Elements before row i.
    __device__ __forceinline__ i64 at(i64 i) const {
        return inner == 1 ? i * pitch : i / inner * pitch + i % inner * columns;
    }

    template <class T>
    __device__ __forceinline__ T *row(i64 i) const {
        return static_cast<T *>(data) + at(i);
    }

    __device__ __forceinline__ float load(i64 i, i64 column) const {
        return load_element(data, dtype, at(i) + column);
    }

    __device__ __forceinline__ void store(i64 i, i64 column, float x) const {
        store_element(data, dtype, at(i) + column, x);
    }
};

__device__ __forceinline__ Rows rows_of(const Operand &o) {
    Rows rows = {o.data, o.dtype, 1, 1, o.rank == 0 ? 1 : o.dims[o.rank - 1], 0};
    for (i64 axis = 1; axis < o.rank - 1; axis++) {
        rows.inner *= o.dims[axis];
    }
    if (o.rank > 1) {
        rows.count = o.dims[0] * rows.inner;
        rows.pitch = o.pitch;
    }
    return rows;
}

// First element of index i of axis 0.
template <class T>
__device__ __forceinline__ T *at_index(const Operand &o, i64 i) {
    return static_cast<T *>(o.data) + i * o.pitch;
}

// Byte of the block scale of an element: scales are row-major and tight, and cover the last two axes of each matrix.
__device__ __forceinline__ i64 scale_at(const Operand &o, i64 row, i64 column) {
    const i64 block_rows = o.scaling >> 32;
    const i64 block_columns = o.scaling & 0xFFFFFFFF;
    const i64 height = o.rank < 2 ? 1 : o.dims[o.rank - 2];
    const i64 scale_row = row / height * ceil_div(height, block_rows) + row % height / block_rows;
    return scale_row * ceil_div(o.dims[o.rank - 1], block_columns) + column / block_columns;
}

// Element of an operand with its block scale applied; exact.
__device__ __forceinline__ float load_scaled(const Operand &o, const Rows &rows, i64 row, i64 column) {
    const float code = rows.load(row, column);
    return o.scaling == 0 ? code : code * e8m0_to_float(static_cast<const u8 *>(o.scale)[scale_at(o, row, column)]);
}

// Bytes of an element of the unpacked formats.
__device__ __forceinline__ i64 bytes_of(i64 dtype) {
    switch (dtype) {
        case I64:
            return 8;
        case F32:
        case I32:
            return 4;
        case BF16:
        case F16:
        case I16:
            return 2;
        default:
            return 1;
    }
}

// ---- threads ----

// Number of the thread in a grid of one axis.
__device__ __forceinline__ i64 global_thread() {
    return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ int lane_id() {
    return static_cast<int>(threadIdx.x % WARP);
}

__device__ __forceinline__ int warp_id() {
    return static_cast<int>(threadIdx.x / WARP);
}

// ---- reductions: every thread gets the result ----

template <class T>
__device__ __forceinline__ T warp_sum(T x) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        x += __shfl_xor_sync(ALL_LANES, x, distance);
    }
    return x;
}

// Greatest value; a NaN is passed over.
__device__ __forceinline__ float warp_max(float x) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, distance));
    }
    return x;
}

// Blocks of whole warps, at most 1024 threads, all of which take part.
template <class T>
__device__ __forceinline__ T block_sum(T x) {
    __shared__ T parts[WARP];
    const T part = warp_sum(x);
    __syncthreads();  // a former sum may still be read
    if (lane_id() == 0) {
        parts[warp_id()] = part;
    }
    __syncthreads();
    T sum = parts[0];
    for (int warp = 1; warp < static_cast<int>(blockDim.x / WARP); warp++) {
        sum += parts[warp];
    }
    return sum;
}

// Greatest value; a NaN is passed over.
__device__ __forceinline__ float block_max(float x) {
    __shared__ float parts[WARP];
    const float part = warp_max(x);
    __syncthreads();  // a former maximum may still be read
    if (lane_id() == 0) {
        parts[warp_id()] = part;
    }
    __syncthreads();
    float greatest = parts[0];
    for (int warp = 1; warp < static_cast<int>(blockDim.x / WARP); warp++) {
        greatest = fmaxf(greatest, parts[warp]);
    }
    return greatest;
}

}  // namespace weft

#endif

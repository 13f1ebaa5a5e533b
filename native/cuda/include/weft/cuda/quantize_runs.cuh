// Block quantisation of activations: a lane holds eight values, neighbouring lanes share a block of 32, 64 or 128.
#ifndef WEFT_CUDA_QUANTIZE_RUNS_CUH
#define WEFT_CUDA_QUANTIZE_RUNS_CUH

#include "weft/cuda/quantize.cuh"
#include "weft/cuda/vectors.cuh"

namespace weft {

constexpr int QUANT_RUN = 8;

// The run of eight values of a thread; the runs of a row fill whole blocks. Lanes without
// values, and those from row number `rows` on, stay for their neighbours.
struct RunPlace {
    i64 row;
    i64 column;
    bool exists;

    __device__ __forceinline__ RunPlace(const Rows &x, i64 row, i64 run, i64 rows)
        : row(row), column(run * QUANT_RUN), exists(row < rows && column < x.columns) {}

    __device__ __forceinline__ static i64 runs_of_row(const Rows &x, int block) {
        return ceil_div(x.columns, block) * (block / QUANT_RUN);
    }
};

// Scale byte of the block that a lane's values belong to.
__device__ __forceinline__ u32 shared_scale(const float (&v)[QUANT_RUN], int block, bool e4m3) {
    u32 greatest = 0;
#pragma unroll
    for (int e = 0; e < QUANT_RUN; e++) {
        greatest = max(greatest, magnitude_bits(v[e]));
    }
    for (int distance = block / QUANT_RUN / 2; distance > 0; distance /= 2) {
        greatest = max(greatest, __shfl_xor_sync(ALL_LANES, greatest, distance));
    }
    return block_scale(greatest, e4m3);
}

__device__ __forceinline__ u32 four_e4m3(const float *v, float inverse) {
    return floats_to_e4m3(v[2] * inverse, v[3] * inverse) << 16 | floats_to_e4m3(v[0] * inverse, v[1] * inverse);
}

// Eight codes under the scale of their block.
__device__ __forceinline__ uint2 e4m3_codes(const float (&v)[QUANT_RUN], u32 scale) {
    if (scale == NAN_SCALE) {
        return make_uint2(0x7F7F7F7Fu, 0x7F7F7F7Fu);
    }
    return make_uint2(four_e4m3(v, inverse_scale(scale)), four_e4m3(v + 4, inverse_scale(scale)));
}

__device__ __forceinline__ void store_e4m3(u8 *to, const float (&v)[QUANT_RUN], u32 scale) {
    const uint2 codes = e4m3_codes(v, scale);
    if (is_aligned(to, 8)) {
        *reinterpret_cast<uint2 *>(to) = codes;
        return;
    }
#pragma unroll
    for (int e = 0; e < QUANT_RUN; e++) {
        to[e] = static_cast<u8>((e < 4 ? codes.x : codes.y) >> e % 4 * 8);
    }
}

__device__ __forceinline__ void store_e2m1(u8 *to, const float (&v)[QUANT_RUN], u32 scale) {
    u32 codes = 0;
#pragma unroll
    for (int e = 0; e < QUANT_RUN; e++) {
        codes |= quantize(v[e], scale, false) << 4 * e;
    }
    if (is_aligned(to, 4)) {
        *reinterpret_cast<u32 *>(to) = codes;
        return;
    }
#pragma unroll
    for (int e = 0; e < QUANT_RUN / 2; e++) {
        to[e] = static_cast<u8>(codes >> 8 * e);
    }
}

template <class T>
__device__ __forceinline__ void quantize_run_of(const Call &call, i64 row, i64 run, i64 rows) {
    const Rows x = rows_of(call.at[0]);
    const Operand &result = call.at[1];
    const Rows y = rows_of(result);
    const bool e4m3 = y.dtype == F8_E4M3;
    const int block = static_cast<int>(result.scaling & 0xFFFFFFFF);
    const RunPlace at(x, row, run, rows);
    float v[QUANT_RUN] = {};
    if (at.exists) {
        const T *from = x.row<const T>(at.row) + at.column;
        load_run(from, QUANT_RUN, is_aligned(from, 16), v);
    }
    const u32 scale = shared_scale(v, block, e4m3);
    if (!at.exists) {
        return;
    }
    if (at.column % block == 0) {
        static_cast<u8 *>(result.scale)[at.row * (x.columns / block) + at.column / block] = static_cast<u8>(scale);
    }
    u8 *codes = static_cast<u8 *>(y.data);
    const i64 element = y.at(at.row) + at.column;
    if (e4m3) {
        store_e4m3(codes + element, v, scale);
    } else {
        store_e2m1(codes + element / 2, v, scale);
    }
}

template <class T>
__device__ __forceinline__ void fake_quantize_run_of(const Call &call, i64 row, i64 run, i64 rows) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const bool e4m3 = call.attribute[0] == F8_E4M3;
    const int block = static_cast<int>(call.attribute[1]);
    const RunPlace at(x, row, run, rows);
    const i64 left = x.columns - at.column;
    float v[QUANT_RUN] = {};
    if (at.exists) {
        const T *from = x.row<const T>(at.row) + at.column;
        load_run(from, left, is_aligned(from, 16), v);
    }
    const u32 scale = shared_scale(v, block, e4m3);
    if (!at.exists) {
        return;
    }
    if (at.column < call.attribute[2]) {
#pragma unroll
        for (int e = 0; e < QUANT_RUN; e++) {
            v[e] = fake_quantize(v[e], scale, e4m3);
        }
    }
    T *to = y.row<T>(at.row) + at.column;
    store_run(to, left, is_aligned(to, 16), v);
}


// Run number `run` of a row, if that is below `rows`; for whole warps.
__device__ __forceinline__ void quantize_run(const Call &call, i64 row, i64 run, i64 rows) {
    call.at[0].dtype == F32 ? quantize_run_of<float>(call, row, run, rows) : quantize_run_of<bf16>(call, row, run, rows);
}

// Attributes: format (DType), block, lanes.
__device__ __forceinline__ void fake_quantize_run(const Call &call, i64 row, i64 run, i64 rows) {
    call.at[0].dtype == F32 ? fake_quantize_run_of<float>(call, row, run, rows) : fake_quantize_run_of<bf16>(call, row, run, rows);
}

}  // namespace weft

#endif

// Block quantisation with power-of-two scales.
#ifndef WEFT_CUDA_QUANTIZE_CUH
#define WEFT_CUDA_QUANTIZE_CUH

#include "weft/cuda/small_floats.cuh"

namespace weft {

// Scale byte of a block with a value that is not finite.
constexpr u32 NAN_SCALE = 255;

// Magnitude bits of x: they have the order of the magnitudes, infinity and NaN above all.
__device__ __forceinline__ u32 magnitude_bits(float x) {
    return bits_of(x) & 0x7FFFFFFFu;
}

// Scale byte of a block from the greatest magnitude_bits of its values: the smallest power of two that is not below
// f32(amax * f32(1/M)), M being 448 (E4M3) or 6.
__device__ __forceinline__ u32 block_scale(u32 greatest, bool e4m3) {
    const float floor = e4m3 ? 1e-4f : 6 * 0x1p-126f;
    if (greatest >= 0x7F800000u) {
        return NAN_SCALE;
    }
    return float_to_e8m0(fmaxf(__uint_as_float(greatest), floor) * (e4m3 ? 1.0f / 448 : 1.0f / 6));
}

// 1 / scale, exact: the floors keep the byte of a finite block in [1, 253].
__device__ __forceinline__ float inverse_scale(u32 scale) {
    return __uint_as_float((254u - scale) << 23);
}

// Code of x under the scale of its block: NaN, or zero where the format has none, under NAN_SCALE.
__device__ __forceinline__ u32 quantize(float x, u32 scale, bool e4m3) {
    if (scale == NAN_SCALE) {
        return e4m3 ? 0x7Fu : 0u;
    }
    const float scaled = x * inverse_scale(scale);
    return e4m3 ? float_to_e4m3(scaled) : float_to_e2m1(scaled);
}

// x rounded to the narrow format and back.
__device__ __forceinline__ float fake_quantize(float x, u32 scale, bool e4m3) {
    const u32 code = quantize(x, scale, e4m3);
    return (e4m3 ? e4m3_to_float(code) : e2m1_to_float(code)) * e8m0_to_float(scale);
}

}  // namespace weft

#endif

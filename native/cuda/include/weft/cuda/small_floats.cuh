// Codecs of the narrow formats, bit for bit those of dev.weft.DType: round to nearest, ties to even; E4M3 and E2M1 saturate,
// infinities included; E5M2 saturates finite values. Subnormals are kept. Where a target has an instruction it is used, and
// the twin that the emulator runs gives the same codes, the code of a NaN included.
#ifndef WEFT_CUDA_SMALL_FLOATS_CUH
#define WEFT_CUDA_SMALL_FLOATS_CUH

#include "weft/cuda/call.cuh"

namespace weft {

// Storage of a BF16 element; F32 elements are float. Kernels of activations are templates over these two.
struct bf16 {
    u16 code;
};

__device__ __forceinline__ u32 bits_of(float x) {
    return static_cast<u32>(__float_as_int(x));
}

__device__ __forceinline__ bool is_nan(float x) {
    return x != x;
}

__device__ __forceinline__ bool is_finite(float x) {
    return (bits_of(x) & 0x7F800000u) != 0x7F800000u;
}

__device__ __forceinline__ float not_a_number() {
    return __int_as_float(0x7FFFFFFF);
}

__device__ __forceinline__ float infinity() {
    return __int_as_float(0x7F800000);
}

// ---- BF16, F16 ----

__device__ __forceinline__ float bf16_to_float(u32 code) {
    return __uint_as_float(code << 16);
}

// Two codes in a word, that of the lower address in the lower half. NaN becomes 0x7FFF.
__device__ __forceinline__ u32 floats_to_bf16(float low, float high) {
#ifdef WEFT_CUDA_EMULATOR
    const auto code = [](float x) {
        const u32 bits = bits_of(x);
        return is_nan(x) ? 0x7FFFu : (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    };
    return code(high) << 16 | code(low);
#else
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

__device__ __forceinline__ u32 float_to_bf16(float x) {
    return floats_to_bf16(x, 0.0f) & 0xFFFFu;
}

__device__ __forceinline__ float round_bf16(float x) {
    return bf16_to_float(float_to_bf16(x));
}

__device__ __forceinline__ float f16_to_float(u32 code) {
#ifdef WEFT_CUDA_EMULATOR
    const u16 half = static_cast<u16>(code);
    return static_cast<float>(__builtin_bit_cast(_Float16, half));
#else
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(static_cast<u16>(code)));
    return x;
#endif
}

// NaN becomes 0x7FFF.
__device__ __forceinline__ u32 float_to_f16(float x) {
#ifdef WEFT_CUDA_EMULATOR
    return is_nan(x) ? 0x7FFFu : __builtin_bit_cast(u16, static_cast<_Float16>(x));
#else
    u16 code;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(code) : "f"(x));
    return code;
#endif
}

// ---- E4M3, E5M2, E2M1 ----

__device__ __forceinline__ float e4m3_to_float(u32 code) {
    // sign, exponent and mantissa in their binary32 places are the value times 2^-120, subnormals included
    const float scaled = __uint_as_float((code & 0x80u) << 24 | (code & 0x7Fu) << 20);
    return (code & 0x7Fu) == 0x7Fu ? not_a_number() : scaled * 0x1p120f;
}

__device__ __forceinline__ float e5m2_to_float(u32 code) {
    return f16_to_float(code << 8);  // the upper half of a binary16
}

__device__ __forceinline__ float e2m1_to_float(u32 code) {
    return __uint_as_float((code & 8u) << 28 | (code & 7u) << 22) * 0x1p126f;
}

// Code without sign of a finite magnitude that does not exceed the greatest of the format.
template <int MANTISSA_BITS, int BIAS>
__device__ __forceinline__ u32 round_magnitude(float x) {
    constexpr int SHIFT = 23 - MANTISSA_BITS;
    const float smallest_normal = __uint_as_float(static_cast<u32>(127 + 1 - BIAS) << 23);
    if (x < smallest_normal) {
        // the sum rounds x to a multiple of the smallest subnormal, and its mantissa counts them
        const u32 magic = static_cast<u32>(127 + 1 - BIAS + SHIFT) << 23;
        return bits_of(x + __uint_as_float(magic)) - magic;
    }
    const u32 bits = bits_of(x);
    return ((bits + (1u << (SHIFT - 1)) - 1u + (bits >> SHIFT & 1u)) >> SHIFT) - ((127u - BIAS) << MANTISSA_BITS);
}

__device__ __forceinline__ u32 float_to_e4m3(float x) {
    const u32 sign = bits_of(x) >> 24 & 0x80u;
    return sign | (is_nan(x) ? 0x7Fu : round_magnitude<3, 7>(fminf(fabsf(x), 448.0f)));
}

// Two finite values as codes in a half-word, that of the lower address in the lower byte.
__device__ __forceinline__ u32 floats_to_e4m3(float low, float high) {
#if !defined(WEFT_CUDA_EMULATOR) && __CUDA_ARCH__ >= 890
    u16 pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(high), "f"(low));
    return pair;
#else
    return float_to_e4m3(high) << 8 | float_to_e4m3(low);
#endif
}

__device__ __forceinline__ u32 float_to_e5m2(float x) {
    const u32 sign = bits_of(x) >> 24 & 0x80u;
    const float magnitude = fabsf(x);
    if (is_nan(x)) {
        return sign | 0x7Fu;
    }
    return sign | (magnitude == infinity() ? 0x7Cu : round_magnitude<2, 15>(fminf(magnitude, 57344.0f)));
}

// NaN, which the format lacks, becomes 6.
__device__ __forceinline__ u32 float_to_e2m1(float x) {
    const u32 sign = bits_of(x) >> 28 & 0x8u;
    return is_nan(x) ? 7u : sign | round_magnitude<1, 1>(fminf(fabsf(x), 6.0f));
}

// ---- E8M0 ----

__device__ __forceinline__ float e8m0_to_float(u32 code) {
    // 2^-127 is subnormal in binary32
    return code == 0xFFu ? not_a_number() : code == 0 ? 0x1p-127f : __uint_as_float(code << 23);
}

// The smallest power of two that is not below x: zero and negative values give code 0, values above 2^127 NaN.
__device__ __forceinline__ u32 float_to_e8m0(float x) {
    const u32 bits = bits_of(x);
    if (is_nan(x)) {
        return 0xFFu;
    }
    if (bits >= 0x80000000u || bits <= 0x00400000u) {  // negative, or up to 2^-127
        return 0;
    }
    return (bits >> 23) + ((bits & 0x7FFFFFu) != 0 ? 1u : 0u);
}

// ---- elements ----

__device__ __forceinline__ float to_float(float x) {
    return x;
}

__device__ __forceinline__ float to_float(bf16 x) {
    return bf16_to_float(x.code);
}

__device__ __forceinline__ void store_to(float *to, float x) {
    *to = x;
}

__device__ __forceinline__ void store_to(bf16 *to, float x) {
    to->code = static_cast<u16>(float_to_bf16(x));
}

// x rounded to T, as a float.
template <class T>
__device__ __forceinline__ float round_to(float x) {
    return sizeof(T) == 2 ? round_bf16(x) : x;
}

// Element of a tensor of floats, block scales not applied.
__device__ __forceinline__ float load_element(const void *data, i64 dtype, i64 element) {
    const u8 *bytes = static_cast<const u8 *>(data);
    switch (dtype) {
        case F32:
            return static_cast<const float *>(data)[element];
        case BF16:
            return bf16_to_float(static_cast<const u16 *>(data)[element]);
        case F16:
            return f16_to_float(static_cast<const u16 *>(data)[element]);
        case F8_E4M3:
            return e4m3_to_float(bytes[element]);
        case F8_E5M2:
            return e5m2_to_float(bytes[element]);
        case F8_E8M0:
            return e8m0_to_float(bytes[element]);
        case F4_E2M1:
            return e2m1_to_float(bytes[element >> 1] >> (element & 1) * 4 & 15u);
        default:
            return not_a_number();
    }
}

// Stores an element of a format that activations have.
__device__ __forceinline__ void store_element(void *data, i64 dtype, i64 element, float x) {
    switch (dtype) {
        case F32:
            static_cast<float *>(data)[element] = x;
            break;
        case BF16:
            static_cast<u16 *>(data)[element] = static_cast<u16>(float_to_bf16(x));
            break;
        default:
            static_cast<u16 *>(data)[element] = static_cast<u16>(float_to_f16(x));
            break;
    }
}

}  // namespace weft

#endif

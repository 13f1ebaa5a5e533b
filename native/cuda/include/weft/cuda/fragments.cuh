// Weights and activations as fragments of mma.m16n8k16, decoded in registers. Exact: every E4M3 and E2M1 value is a BF16
// value, and so is an E2M1 value times its block scale.
//
// The order of K inside a matrix product is free as long as both operands have the same, so it is chosen such that a lane
// decodes the 16 bytes it loads from a row in checkpoint order, without an exchange between lanes. For every block of 128
// the lanes 4g..4g+3 hold the values of one row:
//
//   weights   values of a lane in one load   first value in load v, lane c of the four   order inside 8 values
//   E2M1      32                             32c                                         0 4 1 5 2 6 3 7
//   E4M3      16                             64v + 16c                                   0 1 2 3 4 5 6 7
//   BF16      8                              32v + 8c                                    0 1 2 3 4 5 6 7
//
// Eight values in that order are a chunk: the first four belong to one mma, the others to the next.
#ifndef WEFT_CUDA_FRAGMENTS_CUH
#define WEFT_CUDA_FRAGMENTS_CUH

#include "weft/cuda/small_floats.cuh"

namespace weft {

constexpr int K_BLOCK = 128;         // values between two roundings of a sum to its total
constexpr int CHUNK = 8;             // values
constexpr int BLOCK_CHUNKS = K_BLOCK / CHUNK;

// Eight values of 16 bits, two a word.
struct Chunk {
    u32 pair[4];
};

template <DType FORMAT>
constexpr int bits_in = FORMAT == BF16 ? 16 : FORMAT == F8_E4M3 ? 8 : 4;

// Values of weights that a lane loads at once, and loads a lane needs for a row of a block.
template <DType WEIGHTS>
constexpr int lane_values = 128 / bits_in<WEIGHTS>;
template <DType WEIGHTS>
constexpr int block_loads = K_BLOCK / 4 / lane_values<WEIGHTS>;

// First value in its block that lane c of a row's four has in load v.
template <DType WEIGHTS>
__device__ __forceinline__ constexpr int first_value(int v, int c) {
    return (v * 4 + c) * lane_values<WEIGHTS>;
}

// ---- arithmetic on pairs ----

// Products of two pairs of BF16, each rounded; exact here, because one factor is a power of two.
__device__ __forceinline__ u32 multiply_bf16(u32 a, u32 b) {
#ifdef WEFT_CUDA_EMULATOR
    const u32 low = float_to_bf16(bf16_to_float(a & 0xFFFFu) * bf16_to_float(b & 0xFFFFu));
    return low | float_to_bf16(bf16_to_float(a >> 16) * bf16_to_float(b >> 16)) << 16;
#else
    u32 product;  // mul.bf16x2 does not exist below sm_90
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(a), "r"(b), "r"(0x80008000u));
    return product;
#endif
}

__device__ __forceinline__ Chunk scaled(const Chunk &chunk, u32 factor) {
    return {multiply_bf16(chunk.pair[0], factor), multiply_bf16(chunk.pair[1], factor),
            multiply_bf16(chunk.pair[2], factor), multiply_bf16(chunk.pair[3], factor)};
}

constexpr u32 BF16_NANS = 0x7FFF7FFFu;

// ---- E4M3 ----

#if defined(WEFT_CUDA_EMULATOR) || __CUDA_ARCH__ >= 890
constexpr bool DECODES_E4M3 = true;  // an instruction makes binary16 of two codes
#else
constexpr bool DECODES_E4M3 = false;
#endif

// The four codes of a word as binary16, which has all their values. NaN for NaN.
__device__ __forceinline__ void e4m3_to_f16(u32 codes, u32 &low, u32 &high) {
#if !defined(WEFT_CUDA_EMULATOR) && __CUDA_ARCH__ >= 890
    asm("{.reg .b16 l, h; mov.b32 {l, h}, %2; cvt.rn.f16x2.e4m3x2 %0, l; cvt.rn.f16x2.e4m3x2 %1, h;}"
        : "=r"(low), "=r"(high)
        : "r"(codes));
#else
    const auto f16 = [&](int byte) { return float_to_f16(e4m3_to_float(codes >> 8 * byte & 0xFFu)); };
    low = f16(0) | f16(1) << 16;
    high = f16(2) | f16(3) << 16;
#endif
}

__device__ __forceinline__ u32 f16_to_bf16(u32 pair) {
    return floats_to_bf16(f16_to_float(pair & 0xFFFFu), f16_to_float(pair >> 16));
}

constexpr u32 E4M3_FACTOR = 0x7B807B80u;  // twice 2^120

// Bytes 0 and 2, or 1 and 3, of a word. Their bits in BF16 places are the values times 2^-120, subnormals included; the code
// of NaN would be 480 and is the caller's affair.
__device__ __forceinline__ u32 e4m3_even(u32 word) {
    return multiply_bf16((word << 8 & 0x80008000u) | (word << 4 & 0x07F007F0u), E4M3_FACTOR);
}

__device__ __forceinline__ u32 e4m3_odd(u32 word) {
    return multiply_bf16((word & 0x80008000u) | (word >> 4 & 0x07F007F0u), E4M3_FACTOR);
}

// Not zero in a byte's highest bit if the byte is a NaN.
__device__ __forceinline__ u32 e4m3_nan_bits(u32 word) {
    return (word & 0x7F7F7F7Fu) + 0x01010101u;
}

__device__ __forceinline__ bool has_e4m3_nan(u32 a, u32 b) {
    return ((e4m3_nan_bits(a) | e4m3_nan_bits(b)) & 0x80808080u) != 0;
}

// Eight codes as BF16 without the instruction. A NaN may come out in another place: it makes the whole sum NaN anyway.
__device__ __forceinline__ Chunk e4m3_chunk_of_bits(u32 low, u32 high) {
    const u32 a = __byte_perm(low, 0, 0x3120);
    const u32 b = __byte_perm(high, 0, 0x3120);
    const u32 first = e4m3_even(a);
    return {has_e4m3_nan(low, high) ? BF16_NANS : first, e4m3_odd(a), e4m3_even(b), e4m3_odd(b)};
}

// Eight codes in their order as values of a format.
template <DType FORMAT>
__device__ __forceinline__ Chunk e4m3_chunk(u32 low, u32 high) {
    static_assert(FORMAT == BF16 || DECODES_E4M3);
    if constexpr (DECODES_E4M3) {
        Chunk chunk;
        e4m3_to_f16(low, chunk.pair[0], chunk.pair[1]);
        e4m3_to_f16(high, chunk.pair[2], chunk.pair[3]);
        if constexpr (FORMAT == BF16) {
#pragma unroll
            for (u32 &pair : chunk.pair) {
                pair = f16_to_bf16(pair);
            }
        }
        return chunk;
    } else {
        return e4m3_chunk_of_bits(low, high);
    }
}

// ---- E2M1 ----

// Moves a code's sign and its other bits to their places of BF16 by one multiplication.
__device__ __forceinline__ u32 e2m1_pair(u32 codes, int first_bit) {
    const u32 factor = (1u << 12 | 1u << 6) >> first_bit;
    return (codes & 0x000F000Fu << first_bit) * factor & 0x81C081C0u;
}

// Eight codes in the order of E2M1 weights. Their bits in BF16 places are the values times 2^-126.
__device__ __forceinline__ Chunk e2m1_chunk(u32 word) {
    const u32 upper = word >> 8;
    return {e2m1_pair(word, 0), e2m1_pair(word, 4), e2m1_pair(upper, 0), e2m1_pair(upper, 4)};
}

constexpr u32 MOST_E2M1_SCALE = 128;  // 2^127 is the greatest power in BF16

// What the chunks of a block with this scale byte are multiplied by: 2^(scale - 1) up to MOST_E2M1_SCALE.
__device__ __forceinline__ u32 e2m1_factor(u32 scale) {
    return (min(scale, MOST_E2M1_SCALE) + 126u) * 0x00800080u;
}

// And afterwards by the rest, where the scale byte is above MOST_E2M1_SCALE. NaN for NaN.
__device__ __forceinline__ u32 e2m1_second_factor(u32 scale) {
    return scale == 0xFFu ? BF16_NANS : (max(scale, MOST_E2M1_SCALE) - MOST_E2M1_SCALE + 127u) * 0x00800080u;
}

// ---- activations ----

// What tensor cores are given. Binary16 where both operands are E4M3, which is one instruction for two values; BF16 has the
// exponents for the rest.
template <DType ACTIVATIONS, DType WEIGHTS>
constexpr DType factor_format = ACTIVATIONS == F8_E4M3 && WEIGHTS == F8_E4M3 && DECODES_E4M3 ? F16 : BF16;

// Eight consecutive activations in the order of the weights. `words`: two of E4M3 codes or four of BF16.
template <DType ACTIVATIONS, DType WEIGHTS, DType FORMAT = BF16>
__device__ __forceinline__ Chunk activations(const u32 *words) {
    const u32 w0 = words[0];
    const u32 w1 = words[1];
    if constexpr (ACTIVATIONS == F8_E4M3) {
        if constexpr (WEIGHTS == F4_E2M1) {
            return e4m3_chunk<FORMAT>(__byte_perm(w0, w1, 0x5140), __byte_perm(w0, w1, 0x7362));
        } else {
            return e4m3_chunk<FORMAT>(w0, w1);
        }
    } else {
        const u32 w2 = words[2];
        const u32 w3 = words[3];
        if constexpr (WEIGHTS == F4_E2M1) {
            return {__byte_perm(w0, w2, 0x5410), __byte_perm(w0, w2, 0x7632), __byte_perm(w1, w3, 0x5410),
                    __byte_perm(w1, w3, 0x7632)};
        } else {
            return {w0, w1, w2, w3};
        }
    }
}

// ---- block scales of sums ----

// 2^exponent for exponents of two scale bytes, -254 .. 254, as two factors: either alone is a normal number, so the product
// of a sum with both is rounded only where it must be. Sums of codes times 2^-252 or less are zero in binary32.
struct Power {
    float first;
    float second;
};

constexpr int NAN_EXPONENT = 1 << 16;

// Exponent of a scale byte, NAN_EXPONENT for NaN.
__device__ __forceinline__ int scale_exponent(u32 scale) {
    return scale == 0xFFu ? NAN_EXPONENT : static_cast<int>(scale) - 127;
}

__device__ __forceinline__ Power power_of(int exponent) {
    if (exponent > 254) {
        return {not_a_number(), 1.0f};
    }
    const int least = max(exponent, -252);
    const int half = least >> 1;
    return {__int_as_float((half + 127) << 23), __int_as_float((least - half + 127) << 23)};
}

}  // namespace weft

#endif

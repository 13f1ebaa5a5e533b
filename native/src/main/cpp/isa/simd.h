// Vectors of W floats for one instruction-set level, and the narrow formats.
//
// A vector function applies the same operation to every lane, so an element's result does not depend on its lane; rows
// whose length is not a multiple of W use load_tail/store_tail and the same vector operations. Operators + - * / and
// comparisons are those of GCC's vector extensions. Results may differ between levels in the last bits.
#ifndef WEFT_SIMD_H
#define WEFT_SIMD_H

#include <stdint.h>

#if defined(__x86_64__)
// GCC 12 warns of its own deliberately undefined values in these headers
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace weft::WEFT_ISA {

#define WEFT_INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

typedef float vf __attribute__((vector_size(W * 4)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef uint32_t vu __attribute__((vector_size(W * 4)));
typedef uint16_t vh __attribute__((vector_size(W * 2)));
typedef uint8_t vb __attribute__((vector_size(W)));

// ---- memory ----

// memcpy is the portable unaligned access; the compiler turns it into one move
WEFT_INLINE vf load(const float *p) {
    vf v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

WEFT_INLINE vu load_u32(const void *p) {
    vu v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

WEFT_INLINE void store(float *p, vf v) {
    __builtin_memcpy(p, &v, sizeof v);
}

WEFT_INLINE vf broadcast(float x) {
    return x - vf{};
}

WEFT_INLINE vf as_float(vu v) {
    return (vf)v;
}

WEFT_INLINE vu as_bits(vf v) {
    return (vu)v;
}

WEFT_INLINE float as_float(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}

WEFT_INLINE uint32_t as_bits(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}

/** Lanes where the mask (a comparison's result) is true from a, else from b. */
WEFT_INLINE vf select(vi mask, vf a, vf b) {
    return mask ? a : b;
}

WEFT_INLINE vu select(vi mask, vu a, vu b) {
    return mask ? a : b;
}

// ---- what differs between instruction sets ----

#if defined(__AVX512F__)
WEFT_INLINE vf fma(vf a, vf b, vf c) {
    return (vf)_mm512_fmadd_ps(a, b, c);
}
WEFT_INLINE vu widen(vh v) {
    return (vu)_mm512_cvtepu16_epi32((__m256i)v);
}
WEFT_INLINE vu widen(vb v) {
    return (vu)_mm512_cvtepu8_epi32((__m128i)v);
}
WEFT_INLINE vh narrow16(vu v) {
    return (vh)_mm512_cvtepi32_epi16((__m512i)v);
}
WEFT_INLINE vb narrow8(vu v) {
    return (vb)_mm512_cvtepi32_epi8((__m512i)v);
}
#elif defined(__AVX2__)
WEFT_INLINE vf fma(vf a, vf b, vf c) {
    return (vf)_mm256_fmadd_ps(a, b, c);
}
WEFT_INLINE vu widen(vh v) {
    return (vu)_mm256_cvtepu16_epi32((__m128i)v);
}
WEFT_INLINE vu widen(vb v) {
    int64_t bytes;
    __builtin_memcpy(&bytes, &v, 8);
    return (vu)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes));
}
WEFT_INLINE vh narrow16(vu v) {
    __m256i low = _mm256_and_si256((__m256i)v, _mm256_set1_epi32(0xFFFF));
    __m256i packed = _mm256_packus_epi32(low, low);
    return (vh)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}
WEFT_INLINE vb narrow8(vu v) {
    __m128i words = _mm_and_si128((__m128i)narrow16(v), _mm_set1_epi16(0xFF));
    int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
    vb out;
    __builtin_memcpy(&out, &bytes, 8);
    return out;
}
#else
#if defined(__aarch64__)
WEFT_INLINE vf fma(vf a, vf b, vf c) {
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
// two roundings: old x86 processors have no fused multiply-add, and libm's emulation costs a hundred times more
WEFT_INLINE vf fma(vf a, vf b, vf c) {
    return a * b + c;
}
#endif
WEFT_INLINE vu widen(vh v) {
    return __builtin_convertvector(v, vu);
}
WEFT_INLINE vu widen(vb v) {
    return __builtin_convertvector(v, vu);
}
WEFT_INLINE vh narrow16(vu v) {
    return __builtin_convertvector(v, vh);
}
WEFT_INLINE vb narrow8(vu v) {
    return __builtin_convertvector(v, vb);
}
#endif

/** The scalar twin of the vector fma: same roundings. */
WEFT_INLINE float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/** First n < W floats, zeros after them. */
WEFT_INLINE vf load_tail(const float *p, int64_t n) {
    vf v = {};
    __builtin_memcpy(&v, p, (uint64_t)n * 4);
    return v;
}

WEFT_INLINE void store_tail(float *p, vf v, int64_t n) {
    __builtin_memcpy(p, &v, (uint64_t)n * 4);
}

/** The greater; b where a is NaN or both are equal. */
WEFT_INLINE vf max(vf a, vf b) {
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps(a, b);
#elif defined(__x86_64__)
    return (vf)_mm_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}

/** The lesser; b where a is NaN or both are equal. */
WEFT_INLINE vf min(vf a, vf b) {
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps(a, b);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps(a, b);
#elif defined(__x86_64__)
    return (vf)_mm_min_ps(a, b);
#else
    return a < b ? a : b;
#endif
}

// ---- across lanes ----

/** Lane i takes lane i ^ distance. */
template <int distance>
WEFT_INLINE vf exchange(vf v) {
    vi lanes;
    for (int i = 0; i < W; i++) {
        lanes[i] = i ^ distance;
    }
    return __builtin_shuffle(v, lanes);
}

/** Every lane the sum of all: halves added, then halves of the halves. */
template <int distance = W / 2>
WEFT_INLINE vf sum_lanes(vf v) {
    if constexpr (distance > 0) {
        return sum_lanes<distance / 2>(v + exchange<distance>(v));
    }
    return v;
}

template <int distance = W / 2>
WEFT_INLINE vf max_lanes(vf v) {
    if constexpr (distance > 0) {
        return max_lanes<distance / 2>(max(v, exchange<distance>(v)));
    }
    return v;
}

WEFT_INLINE float hsum(vf v) {
    return sum_lanes(v)[0];
}

/** Greatest lane; lanes must not be NaN. */
WEFT_INLINE float hmax(vf v) {
    return max_lanes(v)[0];
}

/** One bit per lane of a mask (a comparison's result), lane 0 lowest. */
WEFT_INLINE uint32_t lane_bits(vi mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX2__)
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#elif defined(__x86_64__)
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    uint32_t bits = 0;
    for (int i = 0; i < W; i++) {
        bits |= (uint32_t)(mask[i] & 1) << i;
    }
    return bits;
#endif
}

WEFT_INLINE bool any(vi mask) {
    return lane_bits(mask) != 0;
}

// ---- magnitudes and roots ----

WEFT_INLINE vf abs(vf v) {
    return as_float(as_bits(v) & 0x7FFFFFFFu);
}

WEFT_INLINE vf sqrt(vf v) {
#if defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps(v);
#elif defined(__AVX2__)
    return (vf)_mm256_sqrt_ps(v);
#elif defined(__aarch64__)
    return (vf)vsqrtq_f32((float32x4_t)v);
#else
    return (vf)_mm_sqrt_ps(v);
#endif
}

// ---- BF16: the upper half of a float; round to nearest, ties to even, NaN stays NaN ----

WEFT_INLINE float bf16_to_float(uint16_t code) {
    return as_float((uint32_t)code << 16);
}

WEFT_INLINE uint16_t float_to_bf16(float x) {
    uint32_t bits = as_bits(x);
    if (x != x) {
        return (uint16_t)(bits >> 16 | 0x40);
    }
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

WEFT_INLINE vu round_bf16_bits(vf v) {
    vu bits = as_bits(v);
    vu rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    return select(v != v, bits >> 16 | 0x40u, rounded);
}

/** v rounded to the nearest BF16 value, as floats. */
WEFT_INLINE vf round_bf16(vf v) {
    return as_float(round_bf16_bits(v) << 16);
}

WEFT_INLINE float round_bf16(float x) {
    return bf16_to_float(float_to_bf16(x));
}

WEFT_INLINE vf load_bf16(const uint16_t *p) {
    vh v;
    __builtin_memcpy(&v, p, sizeof v);
    return as_float(widen(v) << 16);
}

WEFT_INLINE void store_bf16(uint16_t *p, vf v) {
    vh h = narrow16(round_bf16_bits(v));
    __builtin_memcpy(p, &h, sizeof h);
}

WEFT_INLINE vf load_bf16_tail(const uint16_t *p, int64_t n) {
    vh v = {};
    __builtin_memcpy(&v, p, (uint64_t)n * 2);
    return as_float(widen(v) << 16);
}

WEFT_INLINE void store_bf16_tail(uint16_t *p, vf v, int64_t n) {
    vh h = narrow16(round_bf16_bits(v));
    __builtin_memcpy(p, &h, (uint64_t)n * 2);
}

// ---- E4M3: 4 exponent bits, bias 7, no infinity; code 0x7F is NaN ----

WEFT_INLINE vf decode_e4m3(vu code) {
    vf biased = as_float(((code & 0x7Fu) << 20) + (120u << 23));
    // right for normal codes; with exponent field 0 it reads (1 + m/8) 2^-7 and should be m/8 2^-6, which is 2a - 2^-6.
    // That is the smaller of the two below 2^-6 and the greater one above.
    vf value = min(biased, biased + biased - 0x1p-6f);
    value = select(biased == 480.0f, as_float((vu)vi{} | 0x7FC00000u), value);
    return as_float(as_bits(value) | (code & 0x80u) << 24);
}

/** Codes of v: clamped to +-448, nearest, ties to even, subnormals kept; NaN gives NaN. */
WEFT_INLINE vu encode_e4m3(vf v) {
    vu sign = as_bits(v) >> 24 & 0x80u;
    vf magnitude = min(abs(v), broadcast(448.0f));
    vu bits = as_bits(magnitude);
    // rounding in the integer domain: a carry out of the mantissa lands in the exponent, as it should
    vu normal = ((bits + 0x7FFFFu + (bits >> 20 & 1u)) >> 20) - (120u << 3);
    // 2^14 has steps of 2^-9, the subnormal step: the addition rounds
    vu subnormal = as_bits(magnitude + 0x1p14f) - 0x46800000u;
    vu code = select(magnitude < 0x1p-6f, subnormal, normal);
    return sign | select(v != v, (vu)vi{} | 0x7Fu, code);
}

WEFT_INLINE float e4m3_to_float(uint8_t code) {
    return decode_e4m3((vu)vi{} | (uint32_t)code)[0];
}

WEFT_INLINE uint8_t float_to_e4m3(float x) {
    return (uint8_t)encode_e4m3(broadcast(x))[0];
}

WEFT_INLINE vf load_e4m3(const uint8_t *p) {
    vb v;
    __builtin_memcpy(&v, p, sizeof v);
    return decode_e4m3(widen(v));
}

WEFT_INLINE void store_e4m3(uint8_t *p, vf v) {
    vb b = narrow8(encode_e4m3(v));
    __builtin_memcpy(p, &b, sizeof b);
}

// ---- E2M1: 0 0.5 1 1.5 2 3 4 6 and their negatives (bit 3) ----

/** Only the low four bits of each lane count. */
WEFT_INLINE vf decode_e2m1(vu code) {
#if defined(__AVX512F__)
    const __m512 table = _mm512_setr_ps(0.0f, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6);
    return (vf)_mm512_permutexvar_ps((__m512i)code, table);
#elif defined(__AVX2__)
    const __m256 table = _mm256_setr_ps(0.0f, 0.5f, 1, 1.5f, 2, 3, 4, 6);
    vf magnitude = (vf)_mm256_permutevar8x32_ps(table, (__m256i)code);
    return as_float(as_bits(magnitude) | (code << 28 & 0x80000000u));
#else
    vu magnitude = code & 7u;
    vf subnormal = __builtin_convertvector((vi)magnitude, vf) * 0.5f;
    vf value = select((vi)magnitude < 2, subnormal, as_float((magnitude << 22) + (126u << 23)));
    return as_float(as_bits(value) | (code << 28 & 0x80000000u));
#endif
}

/** Codes of v: clamped to +-6, nearest, ties to even; NaN gives 7. */
WEFT_INLINE vu encode_e2m1(vf v) {
    vu sign = as_bits(v) >> 28 & 8u;
    vf magnitude = min(abs(v), broadcast(6.0f));
    vu bits = as_bits(magnitude);
    vu normal = ((bits + 0x1FFFFFu + (bits >> 22 & 1u)) >> 22) - (126u << 1);
    // 2^22 has steps of 0.5
    vu subnormal = as_bits(magnitude + 0x1p22f) - 0x4A800000u;
    vu code = select(magnitude < 1.0f, subnormal, normal);
    return select(v != v, (vu)vi{} | 7u, sign | code);
}

WEFT_INLINE float e2m1_to_float(uint8_t code) {
    return decode_e2m1((vu)vi{} | (uint32_t)code)[0];
}

WEFT_INLINE uint8_t float_to_e2m1(float x) {
    return (uint8_t)encode_e2m1(broadcast(x))[0];
}

// ---- E8M0: 2^(code-127); 255 is NaN ----

WEFT_INLINE vf decode_e8m0(vu code) {
    // 2^-127 is subnormal as a float: shifting code 0 into the exponent field would give zero
    vu bits = select(code == 0u, (vu)vi{} | 0x00400000u, code << 23);
    return as_float(select(code == 255u, (vu)vi{} | 0x7FC00000u, bits));
}

WEFT_INLINE float e8m0_to_float(uint8_t code) {
    return as_float(code == 255 ? 0x7FC00000u : code == 0 ? 0x00400000u : (uint32_t)code << 23);
}

/** Code of the smallest power of two that is not below x, 0 for x <= 2^-127; 255 for NaN and infinity. */
WEFT_INLINE uint8_t float_to_e8m0_ceiling(float x) {
    uint32_t bits = as_bits(x);
    if (x != x || bits == 0x7F800000u) {
        return 255;
    }
    if ((int32_t)bits <= 0x00400000) {
        return 0;
    }
    return (uint8_t)((bits >> 23) + ((bits & 0x7FFFFFu) != 0));
}

// ---- exp ----

/** e^v within 1.2e-7 relative; 0 below the subnormals, infinity above the range, NaN for NaN. */
WEFT_INLINE vf exp(vf v) {
    // the bound stands first in min and max, so that NaN passes
    vf x = max(broadcast(-104.0f), min(broadcast(89.0f), v));
    // x = n ln 2 + r, |r| <= ln(2)/2: adding 1.5 * 2^23 rounds to the nearest integer
    vf shifted = fma(x, broadcast(0x1.715476p+0f), broadcast(0x1.8p23f));
    vf whole = shifted - 0x1.8p23f;
    vf r = fma(whole, broadcast(-0x1.62e4p-1f), x);  // 15 significant bits: the product is exact
    r = fma(whole, broadcast(-0x1.7f7d1cp-20f), r);
    vf p = broadcast(0x1.a01a02p-13f);
    p = fma(p, r, broadcast(0x1.6c16c2p-10f));
    p = fma(p, r, broadcast(0x1.111112p-7f));
    p = fma(p, r, broadcast(0x1.555556p-5f));
    p = fma(p, r, broadcast(0x1.555556p-3f));
    p = fma(p, r, broadcast(0.5f));
    p = fma(p, r * r, r) + 1.0f;
#if defined(__AVX512F__)
    return (vf)_mm512_scalef_ps(p, whole);
#else
    // two factors: n reaches 129 and -150, beyond the exponents of one float
    vi n = (vi)shifted - 0x4B400000;
    vi half = n >> 1;
    return p * as_float((vu)(half + 127) << 23) * as_float((vu)(n - half + 127) << 23);
#endif
}

WEFT_INLINE float exp(float x) {
    return exp(broadcast(x))[0];
}

}  // namespace weft::WEFT_ISA

#endif

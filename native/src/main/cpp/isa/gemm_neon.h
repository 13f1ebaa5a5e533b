// Multiply-accumulate units of the aarch64 levels and weights in the form they read.
//
// A group is four rows of weights by four K, exact in 16 bits per value: two vectors. The other operand is a quad: four
// consecutive K of one row of activations. Both units take the same two:
//   neonbf16: BFMMLA, two rows by two rows over four K. It rounds sums to odd and reads and writes subnormals as zero;
//             E4M3's subnormals are normal BF16 numbers.
//   neon:     FMLAL, FP16 products added to F32 sums with one rounding. E4M3 and E2M1 are exact in FP16; BF16 is not.
// Sums of one row are the same instructions in the same order whatever the other rows are.
#ifndef WEFT_GEMM_NEON_H
#define WEFT_GEMM_NEON_H

#include "isa/gemm.h"

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC) || defined(__ARM_FEATURE_FP16_FML)
#define WEFT_QUAD_TILES

namespace weft::WEFT_ISA::gemm {

struct Group {
    uint8x16_t a;
    uint8x16_t b;
};

WEFT_INLINE uint8x16_t table(const uint8_t (&bytes)[16]) {
    return vld1q_u8(bytes);
}

/**
 * Groups of a vector of packed lines (dwords of four rows): GROUPS side by side in K from LINES lines. unscaled() turns
 * sums of products with groups into those with the values of the codes.
 */
template <int D>
struct GroupDecoder;

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)

/** Group: a holds K 0 to 3 of row 0, then of row 1; b those of rows 2 and 3. */
struct Unit {
    /** Whether the unit reads values of a format exactly. */
    WEFT_INLINE constexpr bool holds(int64_t dtype) { return dtype == WEFT_BF16 || dtype == WEFT_F8_E4M3; }

    /** Sums of four rows of weights with M rows: two vectors for each pair of rows. */
    WEFT_INLINE constexpr int sums(int rows) { return (rows + 1) / 2 * 2; }

    /** Adds products with quads of M rows. */
    template <int M>
    WEFT_INLINE void add(const Group &w, const uint16_t *quads, float32x4_t (&sums)[(M + 1) / 2 * 2]) {
#pragma GCC unroll 4
        for (int r = 0; r < M; r += 2) {
            const uint16_t *at = quads + 4 * r;
            const auto x = r + 1 < M ? vreinterpretq_bf16_u16(vld1q_u16(at)) : twice(vld1_u16(at));
            sums[r] = vbfmmlaq_f32(sums[r], x, vreinterpretq_bf16_u8(w.a));
            sums[r + 1] = vbfmmlaq_f32(sums[r + 1], x, vreinterpretq_bf16_u8(w.b));
        }
    }

    WEFT_INLINE bfloat16x8_t twice(uint16x4_t quad) { return vreinterpretq_bf16_u16(vcombine_u16(quad, quad)); }

    /** What belongs to four rows of weights, in the order of vector `index` of the sums. */
    WEFT_INLINE float32x4_t spread_weights(float32x4_t of_rows, int index) {
        const auto halves = vreinterpretq_f64_f32(of_rows);
        return vreinterpretq_f32_f64(index % 2 == 0 ? vdupq_laneq_f64(halves, 0) : vdupq_laneq_f64(halves, 1));
    }

    /** What belongs to M rows of x, in the order of vector `index` of the sums. */
    template <int M>
    WEFT_INLINE float32x4_t spread_rows(const float (&of_rows)[M], int index) {
        const int first = index / 2 * 2;
        const float one = of_rows[first], other = of_rows[first + 1 < M ? first + 1 : first];
        return float32x4_t{one, one, other, other};
    }

    /** Sums of one row of x with four rows of weights. */
    WEFT_INLINE float32x4_t row(const float32x4_t *sums, int row) {
        const auto a = vreinterpretq_f64_f32(sums[row / 2 * 2]), b = vreinterpretq_f64_f32(sums[row / 2 * 2 + 1]);
        return vreinterpretq_f32_f64(row % 2 == 0 ? vzip1q_f64(a, b) : vzip2q_f64(a, b));
    }

    /** Values of x that BF16 holds exactly. */
    WEFT_INLINE void store_quad(uint16_t *to, vf x) {
        vst1_u16(to, vshrn_n_u32((uint32x4_t)x, 16));
    }
};

template <>
struct GroupDecoder<WEFT_BF16> {
    static constexpr int GROUPS = 1;
    static constexpr int LINES = 2;

    __attribute__((always_inline)) void decode(const uint8_t *from, Group (&out)[GROUPS]) const {
        const auto first = vreinterpretq_u32_u8(vld1q_u8(from)), second = vreinterpretq_u32_u8(vld1q_u8(from + LINE));
        out[0].a = vreinterpretq_u8_u32(vzip1q_u32(first, second));
        out[0].b = vreinterpretq_u8_u32(vzip2q_u32(first, second));
    }

    WEFT_INLINE float32x4_t unscaled(float32x4_t sums) { return sums; }
};

template <>
struct GroupDecoder<WEFT_F8_E4M3> {
    static constexpr int GROUPS = 1;
    static constexpr int LINES = 1;
    // BF16 halves of E4M3 codes -1 (NaN), 0, 1, ... 14
    uint8x16_t small_low = table({0xC0, 0x00, 0x00, 0x80, 0xC0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xA0, 0xB0, 0xC0,
                                  0xD0, 0xE0});
    uint8x16_t small_high = table({0x7F, 0x00, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C,
                                   0x3C, 0x3C});
    // upper half by the upper four bits of a code that is neither NaN nor subnormal
    uint8x16_t high_of = table({0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41,
                                0x42, 0x43});

    __attribute__((always_inline)) void decode(const uint8_t *from, Group (&out)[GROUPS]) const {
        const uint8x16_t codes = vld1q_u8(from);
        const uint8x16_t index = vandq_u8(vaddq_u8(codes, vdupq_n_u8(1)), vdupq_n_u8(0x7F));
        // an index past the table keeps the value for normal codes
        const uint8x16_t low = vqtbx1q_u8(vshlq_n_u8(codes, 4), small_low, index);
        const uint8x16_t magnitude = vqtbx1q_u8(vqtbl1q_u8(high_of, vshrq_n_u8(codes, 4)), small_high, index);
        const uint8x16_t high = vbslq_u8(vdupq_n_u8(0x80), codes, magnitude);
        out[0] = {vzip1q_u8(low, high), vzip2q_u8(low, high)};
    }

    WEFT_INLINE float32x4_t unscaled(float32x4_t sums) { return sums; }
};

template <>
struct GroupDecoder<WEFT_F4_E2M1> {
    static constexpr int GROUPS = 2;
    static constexpr int LINES = 1;
    // BF16 halves of the codes
    uint8x16_t low_of = table({0, 0, 0x80, 0xC0, 0, 0x40, 0x80, 0xC0, 0, 0, 0x80, 0xC0, 0, 0x40, 0x80, 0xC0});
    uint8x16_t high_of = table({0x00, 0x3F, 0x3F, 0x3F, 0x40, 0x40, 0x40, 0x40, 0x80, 0xBF, 0xBF, 0xBF, 0xC0, 0xC0,
                                0xC0, 0xC0});
    // bytes 0, 2, 1, 3 of each row: K 0 1 4 5 in the lower nibbles, K 2 3 6 7 in the upper ones
    uint8x16_t order = table({0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15});

    __attribute__((always_inline)) void decode(const uint8_t *from, Group (&out)[GROUPS]) const {
        const uint8x16_t bytes = vqtbl1q_u8(vld1q_u8(from), order);
        const auto lower = vreinterpretq_u16_u8(vandq_u8(bytes, vdupq_n_u8(0x0F)));
        const auto upper = vreinterpretq_u16_u8(vshrq_n_u8(bytes, 4));
        out[0] = group(vreinterpretq_u8_u16(vtrn1q_u16(lower, upper)));
        out[1] = group(vreinterpretq_u8_u16(vtrn2q_u16(lower, upper)));
    }

    WEFT_INLINE float32x4_t unscaled(float32x4_t sums) { return sums; }

private:
    __attribute__((always_inline)) Group group(uint8x16_t codes) const {
        const uint8x16_t low = vqtbl1q_u8(low_of, codes), high = vqtbl1q_u8(high_of, codes);
        return {vzip1q_u8(low, high), vzip2q_u8(low, high)};
    }
};

#else

/** Group: a holds K 0 of four rows, then K 1; b holds K 2, then K 3. */
struct Unit {
    /** Whether the unit reads values of a format exactly. */
    WEFT_INLINE constexpr bool holds(int64_t dtype) { return dtype == WEFT_F8_E4M3; }

    /** Sums of four rows of weights with M rows. */
    WEFT_INLINE constexpr int sums(int rows) { return rows; }

    /** Adds products with quads of M rows. */
    template <int M>
    WEFT_INLINE void add(const Group &w, const uint16_t *quads, float32x4_t (&sums)[M]) {
#pragma GCC unroll 4
        for (int m = 0; m + 1 < M; m += 2) {
            const float16x8_t x = vreinterpretq_f16_u16(vld1q_u16(quads + 4 * m));
            sums[m] = add_quad<0>(w, x, sums[m]);
            sums[m + 1] = add_quad<4>(w, x, sums[m + 1]);
        }
        if constexpr (M % 2 == 1) {
            const uint16x4_t x = vld1_u16(quads + 4 * (M - 1));
            sums[M - 1] = add_quad<0>(w, vreinterpretq_f16_u16(vcombine_u16(x, x)), sums[M - 1]);
        }
    }

    /** What belongs to four rows of weights, in the order of vector `index` of the sums. */
    WEFT_INLINE float32x4_t spread_weights(float32x4_t of_rows, int) { return of_rows; }

    /** What belongs to M rows of x, in the order of vector `index` of the sums. */
    template <int M>
    WEFT_INLINE float32x4_t spread_rows(const float (&of_rows)[M], int index) {
        return vdupq_n_f32(of_rows[index]);
    }

    /** Sums of one row of x with four rows of weights. */
    WEFT_INLINE float32x4_t row(const float32x4_t *sums, int row) { return sums[row]; }

    /** Values of x that FP16 holds exactly. */
    WEFT_INLINE void store_quad(uint16_t *to, vf x) {
        vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)x)));
    }

private:
    /** The quad in lanes [L, L + 4) of x. */
    template <int L>
    WEFT_INLINE float32x4_t add_quad(const Group &w, float16x8_t x, float32x4_t sum) {
        sum = vfmlalq_laneq_low_f16(sum, vreinterpretq_f16_u8(w.a), x, L);
        sum = vfmlalq_laneq_high_f16(sum, vreinterpretq_f16_u8(w.a), x, L + 1);
        sum = vfmlalq_laneq_low_f16(sum, vreinterpretq_f16_u8(w.b), x, L + 2);
        return vfmlalq_laneq_high_f16(sum, vreinterpretq_f16_u8(w.b), x, L + 3);
    }
};

template <>
struct GroupDecoder<WEFT_F8_E4M3> {
    static constexpr int GROUPS = 1;
    static constexpr int LINES = 1;
    uint8x16_t transposed = table({0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15});

    __attribute__((always_inline)) void decode(const uint8_t *from, Group (&out)[GROUPS]) const {
        const uint8x16_t codes = vqtbl1q_u8(vld1q_u8(from), transposed);
        const uint8x16_t nan = vceqq_u8(vorrq_u8(codes, vdupq_n_u8(0x80)), vdupq_n_u8(0xFF));
        const uint8x16_t shifted = vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(codes), 1));
        const uint8x16_t high = vorrq_u8(vandq_u8(shifted, vdupq_n_u8(0xBF)), nan);
        const uint8x16_t low = vshlq_n_u8(codes, 7);
        out[0] = {vzip1q_u8(low, high), vzip2q_u8(low, high)};
    }

    /** The bits of a code, read as FP16, are its value times 2^-8, subnormals too. */
    WEFT_INLINE float32x4_t unscaled(float32x4_t sums) { return vmulq_n_f32(sums, 256); }
};

template <>
struct GroupDecoder<WEFT_F4_E2M1> {
    static constexpr int GROUPS = 2;
    static constexpr int LINES = 1;
    // bytes 0, 2, 1, 3 of four rows: K 0 1 4 5 in the lower nibbles, K 2 3 6 7 in the upper ones
    uint8x16_t transposed = table({0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15});
    // upper half of the codes' FP16 values; the lower one is zero
    uint8x16_t high_of = table({0x00, 0x38, 0x3C, 0x3E, 0x40, 0x42, 0x44, 0x46, 0x80, 0xB8, 0xBC, 0xBE, 0xC0, 0xC2,
                                0xC4, 0xC6});

    __attribute__((always_inline)) void decode(const uint8_t *from, Group (&out)[GROUPS]) const {
        const uint8x16_t zero = vdupq_n_u8(0);
        const uint8x16_t bytes = vqtbl1q_u8(vld1q_u8(from), transposed);
        const uint8x16_t lower = vqtbl1q_u8(high_of, vandq_u8(bytes, vdupq_n_u8(0x0F)));
        const uint8x16_t upper = vqtbl1q_u8(high_of, vshrq_n_u8(bytes, 4));
        out[0] = {vzip1q_u8(zero, lower), vzip1q_u8(zero, upper)};
        out[1] = {vzip2q_u8(zero, lower), vzip2q_u8(zero, upper)};
    }

    WEFT_INLINE float32x4_t unscaled(float32x4_t sums) { return sums; }
};

#endif

}  // namespace weft::WEFT_ISA::gemm

#endif

#endif

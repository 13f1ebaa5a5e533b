// What a multiplication of attention takes at a time: a 32-bit word, which is one F32 value or a pair of BF16 values.
//
// Both products of attention multiply words: scores those along the width, values those along the keys. The tiles are
// therefore written once; a type below says how words are made and multiplied:
//   Element       storage of q, keys and result
//   Stored        storage of the key rows that tiles read
//   IN_PLACE      whether keys of whole strips can be read where they lie
//   PER_WORD      values per word
//   multiply_add  sum + a . b of words
//   query         W words of a query row; words behind its end are zero
//   strip         a strip of 2 W columns of PER_WORD keys as two vectors of words
//   in_order      the two vectors of sums of a strip, to the order of the columns
//   probabilities W words of PER_WORD keys' probabilities
#ifndef WEFT_ATTENTION_WORDS_H
#define WEFT_ATTENTION_WORDS_H

#include "isa/op_rows.h"

namespace weft::WEFT_ISA::attention {

/** Columns of values that are multiplied at a time; widths are padded to it. */
constexpr int64_t STRIP = 2 * W;

WEFT_INLINE void store_u32(uint32_t *p, vu v) {
    __builtin_memcpy(p, &v, sizeof v);
}

WEFT_INLINE vu broadcast_word(const void *p) {
    uint32_t word;
    __builtin_memcpy(&word, p, 4);
    return (vu){} + word;
}

/** F32 words. BF16 rows are widened; fused multiply-adds at every level that has them. */
template <class T>
struct Floats {
    using Element = T;
    using Stored = float;
    static constexpr bool IN_PLACE = sizeof(T) == sizeof(float);
    static constexpr int PER_WORD = 1;

    WEFT_INLINE vf multiply_add(vu a, vu b, vf sum) { return fma((vf)a, (vf)b, sum); }

    WEFT_INLINE vu query(const T *q, int64_t word, int64_t width) {
        return word < width ? (vu)load_upto(q + word, width - word) : vu{};
    }

    WEFT_INLINE void strip(const float *const *keys, int64_t column, vu &first, vu &second) {
        first = (vu)load(keys[0] + column);
        second = (vu)load(keys[0] + column + W);
    }

    WEFT_INLINE void in_order(vf &, vf &) {}

    WEFT_INLINE vu probabilities(const vf *e) { return (vu)round_to<T>(e[0]); }
};

#if defined(__AVX512BF16__)

/**
 * BF16 pairs, multiplied by vdpbf16ps. It and the conversion of probabilities take subnormal values, those below
 * 2^-126, as zero.
 * Pairs of values come from interleaving two keys within lanes of 128 bits: `first` holds columns 0-3, 8-11, 16-19 and
 * 24-27 of a strip.
 */
struct Pairs {
    using Element = uint16_t;
    using Stored = uint16_t;
    static constexpr bool IN_PLACE = true;
    static constexpr int PER_WORD = 2;

    WEFT_INLINE vf multiply_add(vu a, vu b, vf sum) {
        return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
    }

    WEFT_INLINE vu query(const uint16_t *q, int64_t word, int64_t width) {
        const int64_t left = width - word * PER_WORD;
        const __mmask32 present = left >= 32 ? ~0u : left > 0 ? (1u << left) - 1 : 0;
        return (vu)_mm512_maskz_loadu_epi16(present, q + word * PER_WORD);
    }

    WEFT_INLINE void strip(const uint16_t *const *keys, int64_t column, vu &first, vu &second) {
        const __m512i even = _mm512_loadu_si512(keys[0] + column);
        const __m512i odd = _mm512_loadu_si512(keys[1] + column);
        first = (vu)_mm512_unpacklo_epi16(even, odd);
        second = (vu)_mm512_unpackhi_epi16(even, odd);
    }

    WEFT_INLINE void in_order(vf &first, vf &second) {
        const vf a = first;
        const vf b = second;
        first = __builtin_shuffle(a, b, vi{0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23});
        second = __builtin_shuffle(a, b, vi{8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31});
    }

    WEFT_INLINE vu probabilities(const vf *e) {
        const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)e[1], (__m512)e[0]);
        return (vu)_mm512_permutexvar_epi16(_mm512_load_si512(INTERLEAVED), halves);
    }

private:
    /** Elements of two halves in turn. */
    alignas(64) static constexpr uint16_t INTERLEAVED[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                             21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                             11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
};

#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)

/** BF16 pairs, multiplied by BFDOT, which rounds to odd and takes subnormal values, those below 2^-126, as zero. */
struct Pairs {
    using Element = uint16_t;
    using Stored = uint16_t;
    static constexpr bool IN_PLACE = true;
    static constexpr int PER_WORD = 2;

    WEFT_INLINE vf multiply_add(vu a, vu b, vf sum) {
        return (vf)vbfdotq_f32((float32x4_t)sum, (bfloat16x8_t)a, (bfloat16x8_t)b);
    }

    WEFT_INLINE vu query(const uint16_t *q, int64_t word, int64_t width) {
        const int64_t left = width - word * PER_WORD;
        vu words = {};
        if (left > 0) {
            __builtin_memcpy(&words, q + word * PER_WORD, left >= 2 * W ? sizeof words : (uint64_t)left * 2);
        }
        return words;
    }

    WEFT_INLINE void strip(const uint16_t *const *keys, int64_t column, vu &first, vu &second) {
        const uint16x8_t even = vld1q_u16(keys[0] + column), odd = vld1q_u16(keys[1] + column);
        first = (vu)vzip1q_u16(even, odd);
        second = (vu)vzip2q_u16(even, odd);
    }

    WEFT_INLINE void in_order(vf &, vf &) {}

    WEFT_INLINE vu probabilities(const vf *e) { return round_bf16_bits(e[0]) | round_bf16_bits(e[1]) << 16; }
};

#endif

// ---- transposition ----

/** Blocks of `half` lanes of a and b in turn: the even blocks (upper = 0) or the odd ones (upper = 1). */
template <int half, int upper>
WEFT_INLINE vu exchange(vu a, vu b) {
    vi lanes;
    for (int i = 0; i < W; i++) {
        const int lane = i / (2 * half) * 2 * half + i % half + upper * half;
        lanes[i] = i % (2 * half) < half ? lane : W + lane;
    }
    return __builtin_shuffle(a, b, lanes);
}

/** Transposes a W x W matrix of words: exchanges quadrants, then quadrants of the quadrants. */
template <int half = W / 2>
WEFT_INLINE void transpose(vu *v) {
    if constexpr (half > 0) {
#pragma GCC unroll 16
        for (int i = 0; i < W; i++) {
            if ((i & half) == 0) {
                const vu a = v[i];
                const vu b = v[i + half];
                v[i] = exchange<half, 0>(a, b);
                v[i + half] = exchange<half, 1>(a, b);
            }
        }
        transpose<half / 2>(v);
    }
}

}  // namespace weft::WEFT_ISA::attention

#endif

// Packed weight lines (packing.h) to BF16 pairs, exactly, by table lookup (AVX-512 with BW and VBMI).
#ifndef WEFT_GEMM_PAIRS_H
#define WEFT_GEMM_PAIRS_H

#include "isa/gemm.h"

#if defined(__AVX512VBMI__)

namespace weft::WEFT_ISA::gemm {

/** BF16 halves of the E4M3 codes 0 to 127. */
struct E4m3Tables {
    alignas(64) uint8_t low[128];
    alignas(64) uint8_t high[128];

    constexpr E4m3Tables() : low(), high() {
        for (int code = 0; code < 128; code++) {
            int exponent = code >> 3;
            int mantissa = code & 7;
            int bits = (exponent + 120) << 7 | mantissa << 4;
            if (code == 127) {
                bits = 0x7FC0;
            } else if (exponent == 0) {
                bits = subnormal(mantissa);
            }
            low[code] = uint8_t(bits);
            high[code] = uint8_t(bits >> 8);
        }
    }

private:
    /** mantissa * 2^-9, normalised. */
    static constexpr int subnormal(int mantissa) {
        if (mantissa == 0) {
            return 0;
        }
        int exponent = mantissa >= 4 ? 2 : mantissa >= 2 ? 1 : 0;
        return (exponent - 9 + 127) << 7 | (mantissa << (7 - exponent) & 0x7F);
    }
};

static constexpr E4m3Tables E4M3;

/** E2M1 codes as BF16, twice, so that bit 4 of an index does not matter. */
alignas(64) static constexpr uint16_t E2M1[32] = {
    0x0000, 0x3F00, 0x3F80, 0x3FC0, 0x4000, 0x4040, 0x4080, 0x40C0, 0x8000, 0xBF00, 0xBF80,
    0xBFC0, 0xC000, 0xC040, 0xC080, 0xC0C0, 0x0000, 0x3F00, 0x3F80, 0x3FC0, 0x4000, 0x4040,
    0x4080, 0x40C0, 0x8000, 0xBF00, 0xBF80, 0xBFC0, 0xC000, 0xC040, 0xC080, 0xC0C0};

/** Decodes a line into BF16 pairs: dword r of pair(line, q) holds K 2q and 2q + 1 of row r. */
template <int D>
struct Decoder;

template <>
struct Decoder<WEFT_BF16> {
    static constexpr int PAIRS = 1;
    using Line = __m512i;

    __attribute__((always_inline)) Line load(const uint8_t *from) const { return _mm512_loadu_si512(from); }

    __attribute__((always_inline)) __m512i pair(Line line, int) const { return line; }
};

template <>
struct Decoder<WEFT_F4_E2M1> {
    static constexpr int PAIRS = 4;
    using Line = __m512i;
    __m512i table = _mm512_load_si512(E2M1);

    __attribute__((always_inline)) Line load(const uint8_t *from) const { return _mm512_loadu_si512(from); }

    __attribute__((always_inline)) __m512i pair(Line line, int q) const {
        return _mm512_permutexvar_epi16(q == 0 ? line : _mm512_srli_epi16(line, (unsigned)(4 * q)), table);
    }
};

template <>
struct Decoder<WEFT_F8_E4M3> {
    static constexpr int PAIRS = 2;
    /** Lower and upper bytes of the BF16 values. */
    struct Line {
        __m512i low;
        __m512i high;
    };
    __m512i low0 = _mm512_load_si512(E4M3.low);
    __m512i low1 = _mm512_load_si512(E4M3.low + 64);
    __m512i high0 = _mm512_load_si512(E4M3.high);
    __m512i high1 = _mm512_load_si512(E4M3.high + 64);
    // within 16 bytes: K0 K1 of four rows, then K2 K3, so that interleaving the halves yields pairs
    __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));

    __attribute__((always_inline)) Line load(const uint8_t *from) const {
        constexpr int or_of_and = 0xF8;  // a | b & c
        const __m512i codes = _mm512_shuffle_epi8(_mm512_loadu_si512(from), order);
        const __m512i high = _mm512_permutex2var_epi8(high0, codes, high1);
        return {_mm512_permutex2var_epi8(low0, codes, low1),
                _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(char(0x80)), or_of_and)};
    }

    __attribute__((always_inline)) __m512i pair(Line line, int q) const {
        return q == 0 ? _mm512_unpacklo_epi8(line.low, line.high) : _mm512_unpackhi_epi8(line.low, line.high);
    }
};

/** The scales of block b of the chunk at `chunk`, which has the index `chunk_index` in its panel. */
template <int D>
WEFT_INLINE __m512 weight_scale(const uint8_t *panel, const uint8_t *chunk, int64_t chunk_index, int64_t b) {
    if constexpr (D == WEFT_F8_E4M3) {
        return _mm512_set1_ps(e8m0_to_float(panel[chunk_index]));
    } else if constexpr (D == WEFT_F4_E2M1) {
        __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(chunk + b * ROWS)));
        return (__m512)decode_e8m0((vu)codes);
    } else {
        return _mm512_set1_ps(1.0f);
    }
}

#if defined(__AVX512BF16__)

/**
 * Adds the products of 16 rows' pairs with the pair at `x`. The pair is the instruction's memory operand: loads are
 * free beside the dots, but the compiler would broadcast to a register what several panels need, and that is not.
 */
WEFT_INLINE void add_dots(__m512 &sums, __m512i w, const uint16_t *x) {
    const auto &pair = *reinterpret_cast<const uint16_t(*)[2]>(x);
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sums) : "v"(w), "m"(pair));
}

#endif

}  // namespace weft::WEFT_ISA::gemm

#endif

#endif

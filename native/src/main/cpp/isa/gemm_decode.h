// Packed weight lines (packing.h) to F32, exactly. The general form shifts each value of a dword into place; AVX2 and
// VBMI decode the values of a line together, in half the instructions.
#ifndef WEFT_GEMM_DECODE_H
#define WEFT_GEMM_DECODE_H

#include "isa/gemm.h"
#include "isa/gemm_pairs.h"

namespace weft::WEFT_ISA::gemm {

/** Value j of each dword. */
template <int D>
WEFT_INLINE vf element(vu dwords, int j) {
    if constexpr (D == WEFT_F32) {
        return as_float(dwords);
    } else if constexpr (D == WEFT_BF16) {
        return as_float(j == 0 ? dwords << 16 : dwords & 0xFFFF0000u);
    } else if constexpr (D == WEFT_F8_E4M3) {
        return decode_e4m3(j == 3 ? dwords >> 24 : dwords >> (8 * j) & 0xFFu);
    } else {
        return decode_e2m1(dwords >> (4 * (j / 2 + j % 2 * 4)));
    }
}

#if defined(__AVX2__) && !defined(__AVX512F__)

/** BF16 pairs to the F32 values of their lower and upper halves. */
WEFT_INLINE void split_pairs(__m256i pairs, vf &lower, vf &upper) {
    lower = (vf)_mm256_slli_epi32(pairs, 16);
    upper = (vf)_mm256_and_si256(pairs, _mm256_set1_epi32(int(0xFFFF0000u)));
}

/** Eight rows' dwords of FP4 codes; out[j] = K j. */
WEFT_INLINE void decode_fp4(const uint8_t *from, vf (&out)[8]) {
    // bytes 0 1 of four rows, then bytes 2 3, so that interleaving low and high BF16 bytes yields one dword per row
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    const __m256i low_bytes = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 0, -128, -64, 0, 64, -128, -64, 0, 0, -128, -64, 0, 64, -128, -64));
    const __m256i high_bytes = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 63, 63, 63, 64, 64, 64, 64, -128, -65, -65, -65, -64, -64, -64, -64));
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i codes = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)from), order);
    __m256i even = _mm256_and_si256(codes, nibble);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble);
    __m256i even_low = _mm256_shuffle_epi8(low_bytes, even), even_high = _mm256_shuffle_epi8(high_bytes, even);
    __m256i odd_low = _mm256_shuffle_epi8(low_bytes, odd), odd_high = _mm256_shuffle_epi8(high_bytes, odd);
    split_pairs(_mm256_unpacklo_epi8(even_low, even_high), out[0], out[4]);
    split_pairs(_mm256_unpackhi_epi8(even_low, even_high), out[1], out[5]);
    split_pairs(_mm256_unpacklo_epi8(odd_low, odd_high), out[2], out[6]);
    split_pairs(_mm256_unpackhi_epi8(odd_low, odd_high), out[3], out[7]);
}

/** E4M3 codes in the upper bytes of 16 words to F32. The same bits one place lower are the value times 2^-8 in FP16. */
WEFT_INLINE void decode_words(__m256i words, vf &first, vf &second) {
    __m256i magnitude = _mm256_and_si256(words, _mm256_set1_epi16(0x7F00));
    __m256i nan = _mm256_cmpeq_epi16(magnitude, _mm256_set1_epi16(0x7F00));
    __m256i half = _mm256_and_si256(_mm256_srai_epi16(words, 1), _mm256_set1_epi16(short(0xBFFF)));
    half = _mm256_or_si256(half, nan);
    const vf factor = broadcast(256.0f);
    first = (vf)_mm256_cvtph_ps(_mm256_castsi256_si128(half)) * factor;
    second = (vf)_mm256_cvtph_ps(_mm256_extracti128_si256(half, 1)) * factor;
}

/** Eight rows' dwords of E4M3 codes; out[j] = K j. */
WEFT_INLINE void decode_fp8(const uint8_t *from, vf (&out)[4]) {
    // K0 of eight rows, K1, K2, K3: transpose bytes within 16, then dwords across
    const __m256i bytes =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m256i dwords = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i codes = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)from), bytes);
    codes = _mm256_permutevar8x32_epi32(codes, dwords);
    decode_words(_mm256_unpacklo_epi8(_mm256_setzero_si256(), codes), out[0], out[2]);
    decode_words(_mm256_unpackhi_epi8(_mm256_setzero_si256(), codes), out[1], out[3]);
}

#endif

/** The W dwords at `from`: out[j] holds value j of each row. */
template <int D, int N>
WEFT_INLINE void decode_dwords(const uint8_t *from, vf (&out)[N]) {
    static_assert(N == packing::values_per_line(D));
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (D == WEFT_F4_E2M1) {
        decode_fp4(from, out);
        return;
    } else if constexpr (D == WEFT_F8_E4M3) {
        decode_fp8(from, out);
        return;
    }
#endif
#if defined(__AVX512VBMI__)
    if constexpr (D == WEFT_F8_E4M3) {
        const Decoder<D> decoder;
        const auto line = decoder.load(from);
#pragma GCC unroll 2
        for (int q = 0; q < 2; q++) {
            const vu pair = (vu)decoder.pair(line, q);
            out[2 * q] = element<WEFT_BF16>(pair, 0);
            out[2 * q + 1] = element<WEFT_BF16>(pair, 1);
        }
        return;
    }
#endif
    vu dwords = load_u32(from);
#pragma GCC unroll 8
    for (int j = 0; j < N; j++) {
        out[j] = element<D>(dwords, j);
    }
}

}  // namespace weft::WEFT_ISA::gemm

#endif

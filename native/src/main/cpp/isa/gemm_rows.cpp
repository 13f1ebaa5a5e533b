// Conversion of activations: values become tiles of interleaved rows, F32 or the 16 bits that the dot product takes.
#include "isa/gemm_rows.h"

#include "isa/gemm_neon.h"

namespace weft::WEFT_ISA::gemm {

namespace {

/** Dwords of a row that are interleaved at a time. */
constexpr int64_t DWORDS = 16;

int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

int64_t element_bytes(const Source &s) {
    return s.dot ? 2 : 4;
}

/** K that are interleaved at a time. */
int64_t tile_step(const Source &s) {
    return DWORDS * 4 / element_bytes(s);
}

/** Elements between converted rows: room for whole steps. */
int64_t stride(const Source &s) {
    return round_up(s.k, tile_step(s));
}

const uint8_t *source_row(const Source &s, int64_t group, int64_t row) {
    const int64_t bytes = s.dtype == WEFT_F32 ? 4 : s.dtype == WEFT_BF16 ? 2 : 1;
    return s.data + (row * s.step + group * s.k) * bytes;
}

/** W values of a row from k on; zeros behind the row's end. */
WEFT_INLINE vf values(const Source &s, const uint8_t *row, int64_t k) {
    const int64_t n = s.k - k;
    if (n <= 0) {
        return vf{};
    }
    if (s.dtype == WEFT_F32) {
        auto *p = (const float *)row + k;
        return n >= W ? load(p) : load_tail(p, n);
    }
    if (s.dtype == WEFT_BF16) {
        auto *p = (const uint16_t *)row + k;
        return n >= W ? load_bf16(p) : load_bf16_tail(p, n);
    }
    if (n >= W) {
        return load_e4m3(row + k);
    }
    vb codes = {};
    __builtin_memcpy(&codes, row + k, (uint64_t)n);
    return decode_e4m3(widen(codes));
}

#if defined(__AVX512F__)

/** A step of a row from k on: F32 values, or BF16 pairs of values times a power of two. */
WEFT_INLINE __m512i dwords(const Source &s, const uint8_t *row, int64_t k, float factor) {
    if (!s.dot) {
        return (__m512i)values(s, row, k);
    }
    if (s.dtype == WEFT_BF16) {
        const __mmask32 present = s.k - k >= 2 * DWORDS ? ~0u : (1u << (s.k - k)) - 1;
        return _mm512_maskz_loadu_epi16(present, (const uint16_t *)row + k);
    }
    // exact, so that cutting off the lower halves rounds nothing
    const __m512i low = _mm512_srli_epi32((__m512i)(values(s, row, k) * factor), 16);
    const __m512i high = _mm512_srli_epi32((__m512i)(values(s, row, k + W) * factor), 16);
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(low)), _mm512_cvtepi32_epi16(high), 1);
}

/** Four rows: dword m of each 16 bytes of out[c] is dword c of the 16 bytes of row m. */
WEFT_INLINE void transpose(const __m512i *rows, __m512i (&out)[4]) {
    const __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]), b = _mm512_unpackhi_epi32(rows[0], rows[1]);
    const __m512i c = _mm512_unpacklo_epi32(rows[2], rows[3]), d = _mm512_unpackhi_epi32(rows[2], rows[3]);
    out[0] = _mm512_unpacklo_epi64(a, c);
    out[1] = _mm512_unpackhi_epi64(a, c);
    out[2] = _mm512_unpacklo_epi64(b, d);
    out[3] = _mm512_unpackhi_epi64(b, d);
}

/** Stores 16 dwords of M rows as [dword][row]. */
template <int M>
WEFT_INLINE void interleave(const __m512i (&rows)[DOT_TILE], uint32_t *to) {
    if constexpr (M == 1) {
        _mm512_storeu_si512(to, rows[0]);
        return;
    }
    constexpr __mmask8 present = (__mmask8)((1 << M) - 1);
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i odd = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512i first[4], second[4];
    transpose(rows, first);
    transpose(rows + 4, second);
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        const __m512i front = _mm512_permutex2var_epi64(first[c], even, second[c]);  // dwords c and 4 + c
        const __m512i back = _mm512_permutex2var_epi64(first[c], odd, second[c]);
        _mm256_mask_storeu_epi32(to + c * M, present, _mm512_castsi512_si256(front));
        _mm256_mask_storeu_epi32(to + (4 + c) * M, present, _mm512_extracti64x4_epi64(front, 1));
        _mm256_mask_storeu_epi32(to + (8 + c) * M, present, _mm512_castsi512_si256(back));
        _mm256_mask_storeu_epi32(to + (12 + c) * M, present, _mm512_extracti64x4_epi64(back, 1));
    }
}

/** [first_k, end_k) of the tile of the M rows at `row`, times their scales if these are to be folded in. */
template <int M>
void convert_tile(const Source &s, const uint8_t *row, int64_t row_bytes, const Rows &to, bool fold, int64_t first_k,
                  int64_t end_k) {
    auto *target = static_cast<uint32_t *>(const_cast<void *>(to.data)) + first_k * element_bytes(s) / 4 * M;
    const int64_t step = tile_step(s);
    for (int64_t k = first_k; k < end_k; k += step, target += DWORDS * M) {
        __m512i rows[DOT_TILE] = {};
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            const float factor = fold ? e8m0_to_float(to.codes[m * to.codes_stride + k / CHUNK]) : 1.0f;
            rows[m] = dwords(s, row + m * row_bytes, k, factor);
        }
        interleave<M>(rows, target);
    }
}

void convert_tiles(const Source &s, const uint8_t *row, int64_t row_bytes, const Rows &block, int64_t count,
                   int64_t first_k, int64_t end_k) {
    static_assert(FLOAT_TILE == DOT_TILE);
    for_tiles<DOT_TILE>(count, [&](int64_t begin, auto height) {
        constexpr int M = decltype(height)::value;
        const Rows tile = block.from(begin);
        const uint8_t *rows = row + begin * row_bytes;
        const bool fold = s.dot && tile.codes != nullptr;
        if (!fold || tile.folded(M)) {
            convert_tile<M>(s, rows, row_bytes, tile, fold, first_k, end_k);
            return;
        }
        for (int m = 0; m < M; m++) {
            const Rows one = tile.from(m);
            convert_tile<1>(s, rows + m * row_bytes, row_bytes, one, one.folded(1), first_k, end_k);
        }
    });
}

#else

void convert_tiles(const Source &s, const uint8_t *row, int64_t row_bytes, const Rows &block, int64_t count,
                   int64_t first_k, int64_t end_k) {
#if defined(WEFT_QUAD_TILES)
    if (s.dot) {
        for_tiles<DOT_TILE>(count, [&](int64_t begin, auto height) {
            constexpr int M = decltype(height)::value;
            const uint8_t *rows = row + begin * row_bytes;
            auto *target = static_cast<uint16_t *>(const_cast<void *>(block.from(begin).data));
            for (int64_t k = first_k; k < end_k; k += 4) {
                for (int64_t m = 0; m < M; m++) {
                    Unit::store_quad(target + k * M + 4 * m, values(s, rows + m * row_bytes, k));
                }
            }
        });
        return;
    }
#endif
    for_tiles<FLOAT_TILE>(count, [&](int64_t begin, auto height) {
        constexpr int M = decltype(height)::value;
        const uint8_t *rows = row + begin * row_bytes;
        auto *target = static_cast<float *>(const_cast<void *>(block.from(begin).data));
        for (int64_t k = first_k; k < end_k; k += W) {
            for (int64_t m = 0; m < M; m++) {
                const vf v = values(s, rows + m * row_bytes, k);
#pragma GCC unroll 8
                for (int j = 0; j < W; j++) {
                    target[(k + j) * M + m] = v[j];
                }
            }
        }
    });
}

#endif

}  // namespace

bool converts(const Source &s) {
    if (s.dot) {
        // a single row is a tile as it is, but lines of weights hold up to 8 K and are multiplied as a whole
        return s.dtype != WEFT_BF16 || s.rows > 1 || s.k % 8 != 0;
    }
    return s.dtype != WEFT_F32 || s.rows > 1;
}

int64_t converted_bytes(const Source &s) {
    return converts(s) ? s.rows * s.groups * stride(s) * element_bytes(s) : 0;
}

Rows rows_at(const Source &s, uint8_t *scratch, int64_t group, int64_t first_row) {
    Rows rows = {};
    rows.element_bytes = element_bytes(s);
    rows.k = s.k;
    if (converts(s)) {
        rows.stride = stride(s);
        rows.data = scratch + (group * s.rows + first_row) * rows.stride * rows.element_bytes;
    } else {
        rows.stride = s.step;
        rows.data = source_row(s, group, first_row);
    }
    if (s.codes != nullptr) {
        const int64_t blocks = packing::ceil_div(s.k, CHUNK);
        rows.codes_stride = s.groups * blocks;
        rows.codes = s.codes + first_row * rows.codes_stride + group * blocks;
    }
    return rows;
}

void convert(const Source &s, uint8_t *scratch, int64_t group, int64_t first_row, int64_t count, int64_t first_k,
             int64_t end_k) {
    const Rows to = rows_at(s, scratch, group, first_row);
    const uint8_t *row = source_row(s, group, first_row);
    const int64_t row_bytes = source_row(s, group, first_row + 1) - row;
    convert_tiles(s, row, row_bytes, to, count, first_k, end_k);
}

}  // namespace weft::WEFT_ISA::gemm

// Conversion of activations: values become F32 rows, or BF16 tiles of interleaved rows for the dot product.
#include "isa/gemm_rows.h"

#include "isa/gemm_neon.h"

namespace weft::WEFT_ISA::gemm {

namespace {

/** K that are interleaved at a time: a vector of pairs from each row. */
constexpr int64_t TILE_STEP = 32;

int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

/** Elements between converted rows. F32 rows must not lie a power of two apart, for they would collide in the cache. */
int64_t stride(const Source &s) {
    return s.dot ? round_up(s.k, TILE_STEP) : round_up(s.k, 16) + 16;
}

int64_t element_bytes(const Source &s) {
    return s.dot ? 2 : 4;
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

/** The stride leaves room for whole vectors; what lies behind K becomes zero. */
void convert_row(const Source &s, const uint8_t *row, float *to, int64_t first_k, int64_t end_k) {
    for (int64_t k = first_k; k < end_k; k += W) {
        store(to + k, values(s, row, k));
    }
}

#if defined(__AVX512BF16__)

/** TILE_STEP values of a row from k on, times a power of two, as BF16 pairs. */
WEFT_INLINE __m512i pairs(const Source &s, const uint8_t *row, int64_t k, float factor) {
    if (s.dtype == WEFT_BF16) {
        const __mmask32 present = s.k - k >= TILE_STEP ? ~0u : (1u << (s.k - k)) - 1;
        return _mm512_maskz_loadu_epi16(present, (const uint16_t *)row + k);
    }
    // exact, so that cutting off the lower halves rounds nothing
    const __m512i low = _mm512_srli_epi32((__m512i)(values(s, row, k) * factor), 16);
    const __m512i high = _mm512_srli_epi32((__m512i)(values(s, row, k + W) * factor), 16);
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(low)), _mm512_cvtepi32_epi16(high), 1);
}

/** Four rows' pairs: dword m of each 16 bytes of out[c] is pair c of the 16 bytes of row m. */
WEFT_INLINE void transpose(const __m512i *rows, __m512i (&out)[4]) {
    const __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]), b = _mm512_unpackhi_epi32(rows[0], rows[1]);
    const __m512i c = _mm512_unpacklo_epi32(rows[2], rows[3]), d = _mm512_unpackhi_epi32(rows[2], rows[3]);
    out[0] = _mm512_unpacklo_epi64(a, c);
    out[1] = _mm512_unpackhi_epi64(a, c);
    out[2] = _mm512_unpacklo_epi64(b, d);
    out[3] = _mm512_unpackhi_epi64(b, d);
}

/** Stores 16 pairs of M rows as [pair][row]. */
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
        const __m512i front = _mm512_permutex2var_epi64(first[c], even, second[c]);  // pairs c and 4 + c
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
    auto *target = static_cast<uint32_t *>(const_cast<void *>(to.data));
    for (int64_t k = first_k; k < end_k; k += TILE_STEP) {
        __m512i rows[DOT_TILE] = {};
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            const float factor = fold ? e8m0_to_float(to.codes[m * to.codes_stride + k / CHUNK]) : 1.0f;
            rows[m] = pairs(s, row + m * row_bytes, k, factor);
        }
        interleave<M>(rows, target + k / 2 * M);
    }
}

void convert_tiles(const Source &s, const uint8_t *row, int64_t row_bytes, const Rows &block, int64_t count,
                   int64_t first_k, int64_t end_k) {
    for_tiles<DOT_TILE>(count, [&](int64_t begin, auto height) {
        constexpr int M = decltype(height)::value;
        const Rows tile = block.from(begin);
        const uint8_t *rows = row + begin * row_bytes;
        if (tile.folded(M)) {
            convert_tile<M>(s, rows, row_bytes, tile, tile.codes != nullptr, first_k, end_k);
            return;
        }
        for (int m = 0; m < M; m++) {
            const Rows one = tile.from(m);
            convert_tile<1>(s, rows + m * row_bytes, row_bytes, one, one.folded(1), first_k, end_k);
        }
    });
}

#elif defined(WEFT_QUAD_TILES)

void convert_tiles(const Source &s, const uint8_t *row, int64_t row_bytes, const Rows &block, int64_t count,
                   int64_t first_k, int64_t end_k) {
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
}

#endif

}  // namespace

bool converts(const Source &s) {
    if (s.dot) {
        // a single row is a tile as it is, but lines of weights hold up to 8 K and are multiplied as a whole
        return s.dtype != WEFT_BF16 || s.rows > 1 || s.k % 8 != 0;
    }
    return s.dtype != WEFT_F32;
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
#if defined(__AVX512BF16__) || defined(WEFT_QUAD_TILES)
    if (s.dot) {
        convert_tiles(s, row, row_bytes, to, count, first_k, end_k);
        return;
    }
#endif
    for (int64_t r = 0; r < count; r++) {
        auto *target = static_cast<float *>(const_cast<void *>(to.from(r).data));
        convert_row(s, row + r * row_bytes, target, first_k, end_k);
    }
}

}  // namespace weft::WEFT_ISA::gemm

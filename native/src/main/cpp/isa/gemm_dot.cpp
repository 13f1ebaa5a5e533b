// Products of BF16 activations with the BF16 pair dot product (vdpbf16ps).
//
// FP4 and FP8 codes are exact in BF16, so are FP8 activations, and products of two such values are exact in F32. The
// instruction reads subnormal BF16 values as zero; that concerns BF16 activations and BF16 weights below 2^-126 only,
// for E4M3's subnormals are normal BF16 numbers. The sum of a weight block is one chain in ascending K pairs for every
// number of rows.
#include "isa/gemm.h"
#include "isa/gemm_pairs.h"

namespace weft::WEFT_ISA::gemm {

#if defined(__AVX512BF16__) && defined(__AVX512VBMI__)

namespace {

/** Tallest tile; sums, totals and decoded weights take 2 x 8 + 8 of the 32 registers. */
constexpr int TILE = 8;

/** Panels multiplied at a time by tiles of M rows: enough independent chains to hide the latency of the dot product. */
constexpr int panels_for(int rows) {
    return rows == 1 ? 4 : rows <= 4 ? 2 : 1;
}

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

WEFT_INLINE __m512bh broadcast_pair(const uint16_t *p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, 4);
    return (__m512bh)_mm512_set1_epi32(pair);
}

/** Accumulators stay in registers only if every loop over them, this one too, is unrolled early. */
template <int P, int M>
WEFT_INLINE void clear(__m512 (&sums)[P][M]) {
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            sums[p][m] = _mm512_setzero_ps();
        }
    }
}

/** Sums of one weight block: `lines` lines of P panels times M rows. */
template <int D, int M, int P>
WEFT_INLINE void dot_lines(const Decoder<D> &decoder, const uint16_t *x, int64_t stride, const uint8_t *line,
                           int64_t step, int64_t lines, __m512 (&sums)[P][M]) {
    constexpr int pairs = Decoder<D>::PAIRS;
    clear(sums);
    for (int64_t l = 0; l < lines; l++, line += LINE, x += 2 * pairs) {
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
            __m512i w[pairs];
            if constexpr (M > 1 || D == WEFT_F4_E2M1) {
                prefetch_weights(line + p * step);
            }
            decoder.pairs(_mm512_loadu_si512(line + p * step), w);
#pragma GCC unroll 4
            for (int q = 0; q < pairs; q++) {
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) {
                    sums[p][m] = _mm512_dpbf16_ps(sums[p][m], (__m512bh)w[q], broadcast_pair(x + m * stride + 2 * q));
                }
            }
        }
    }
}

/** M rows times P panels over the whole of K. */
template <int D, int M, int P>
void dot_tile(const Block &block, const uint8_t *panels, int64_t first_row, int64_t column) {
    constexpr int64_t unit = packing::block(D);
    constexpr int64_t per_line = packing::values_per_line(D);
    const int64_t step = packing::panel_bytes(D, block.k);
    const Decoder<D> decoder;
    const uint16_t *x = static_cast<const uint16_t *>(block.x.data) + first_row * block.x.stride;
    const float *sx = block.x.scales == nullptr ? nullptr : block.x.scales + first_row * block.x.scale_stride;
    const uint8_t *chunk = panels + packing::header_bytes(D, block.k);
    __m512 totals[P][M];
    clear(totals);
    for (int64_t first = 0; first < block.k; first += CHUNK, chunk += packing::chunk_bytes(D)) {
        const int64_t count = minimum(CHUNK, block.k - first);
        const uint8_t *line = chunk + packing::scale_bytes(D);
        for (int64_t begin = 0; begin < count; begin += unit, line += unit / per_line * LINE) {
            __m512 sums[P][M];
            const int64_t lines = (minimum(unit, count - begin) + per_line - 1) / per_line;
            dot_lines<D, M, P>(decoder, x + first + begin, block.x.stride, line, step, lines, sums);
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                __m512 sw = weight_scale<D>(panels + p * step, chunk + p * step, first / CHUNK, begin / unit);
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) {
                    float s = sx == nullptr ? 1.0f : sx[m * block.x.scale_stride + first / CHUNK];
                    totals[p][m] = _mm512_fmadd_ps(sums[p][m], _mm512_mul_ps(sw, _mm512_set1_ps(s)), totals[p][m]);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            float sums[ROWS];
            _mm512_storeu_ps(sums, totals[p][m]);
            int64_t at = column + p * ROWS;
            write(block.out, first_row + m, at, sums, minimum(ROWS, block.columns - at));
        }
    }
}

template <int D>
void run(const Block &block) {
    const int64_t step = packing::panel_bytes(D, block.k);
    // a panel pair stays in the first-level cache while all rows pass
    constexpr int64_t group = 4;
    for (int64_t begin = 0; begin < block.columns; begin += group * ROWS) {
        const int64_t end = minimum(begin + group * ROWS, block.columns);
        for_tiles<TILE>(block.rows, [&](int64_t first_row, auto height) {
            constexpr int M = decltype(height)::value;
            constexpr int P = panels_for(M);
            int64_t column = begin;
            for (; column + (P - 1) * ROWS < end; column += P * ROWS) {
                dot_tile<D, M, P>(block, block.panels + column / ROWS * step, first_row, column);
            }
            for (; column < end; column += ROWS) {
                dot_tile<D, M, 1>(block, block.panels + column / ROWS * step, first_row, column);
            }
        });
    }
}

}  // namespace

BlockFn dot_kernel(int64_t weight_dtype) {
    switch (weight_dtype) {
        case WEFT_BF16:
            return run<WEFT_BF16>;
        case WEFT_F8_E4M3:
            return run<WEFT_F8_E4M3>;
        case WEFT_F4_E2M1:
            return run<WEFT_F4_E2M1>;
        default:
            return nullptr;
    }
}

#else

BlockFn dot_kernel(int64_t) {
    return nullptr;
}

#endif

}  // namespace weft::WEFT_ISA::gemm

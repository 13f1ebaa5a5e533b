// Products of BF16 activations with the BF16 pair dot product (vdpbf16ps).
//
// FP4 and FP8 codes are exact in BF16, so are FP8 activations, and products of two such values are exact in F32. The
// instruction reads subnormal BF16 values as zero; that concerns BF16 activations and BF16 weights below 2^-126 only,
// for E4M3's subnormals are normal BF16 numbers. The sum of a weight block is one chain in ascending K pairs for every
// number of rows.
#include "isa/gemm.h"
#include "isa/gemm_chunks.h"
#include "isa/gemm_neon.h"
#include "isa/gemm_pairs.h"

namespace weft::WEFT_ISA::gemm {

#if defined(__AVX512BF16__) && defined(__AVX512VBMI__)

namespace {

/** Panels multiplied at a time: from three rows on 10 to 20 independent chains hide the latency of the dot. */
constexpr int panels_for(int dtype, int rows) {
    // five rows by four panels leave no registers for the tables of FP8
    return rows <= 4 || (rows == 5 && dtype != WEFT_F8_E4M3) ? 4 : 2;
}

/** add_dots with the pair as the compiler likes it: FP8 has no registers left for its choice to be another. */
template <int D>
WEFT_INLINE void add_dots(__m512 &sums, __m512i w, const uint16_t *x) {
    if constexpr (D != WEFT_F8_E4M3) {
        gemm::add_dots(sums, w, x);
    } else {
        int32_t pair;
        __builtin_memcpy(&pair, x, 4);
        sums = _mm512_dpbf16_ps(sums, (__m512bh)w, (__m512bh)_mm512_set1_epi32(pair));
    }
}

/**
 * Sums of one weight block: `lines` lines of P panels times M rows. Sums stay in registers only if every loop over
 * them, that of the zeros too, is unrolled early.
 */
template <int D, int M, int P>
WEFT_INLINE void dot_lines(const Decoder<D> &decoder, const uint16_t *x, const uint8_t *line, int64_t step,
                           int64_t lines, __m512 (&sums)[P][M]) {
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            sums[p][m] = _mm512_setzero_ps();
        }
    }
    for (int64_t l = 0; l < lines; l++, line += LINE) {
        typename Decoder<D>::Line raw[P];
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
            prefetch_weights<P>(line + p * step);
            raw[p] = decoder.load(line + p * step);
        }
#pragma GCC unroll 4
        for (int q = 0; q < Decoder<D>::PAIRS; q++, x += 2 * M) {
            __m512i w[P];
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                w[p] = decoder.pair(raw[p], q);
            }
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) {
#pragma GCC unroll 4
                for (int p = 0; p < P; p++) {
                    add_dots<D>(sums[p][m], w[p], x + 2 * m);
                }
            }
        }
    }
}

/**
 * M rows times P panels, `apart` panels from one to the next, over the whole of K. `codes` are the scales of one row,
 * null if x contains them.
 */
template <int D, int M, int P>
void dot_tile(const Block &block, const uint16_t *x, const uint8_t *codes, int64_t first_row, int64_t panel,
              int64_t apart) {
    constexpr int64_t unit = packing::block(D);
    constexpr int64_t per_line = packing::values_per_line(D);
    const uint8_t *panels = block.panels + panel * packing::panel_bytes(D, block.k);
    const int64_t step = apart * packing::panel_bytes(D, block.k);
    const Decoder<D> decoder;
    const uint8_t *chunk = panels + packing::header_bytes(D, block.k);
    alignas(64) float totals[P * M * ROWS] = {};
    for (int64_t first = 0; first < block.k; first += CHUNK, chunk += packing::chunk_bytes(D)) {
        const int64_t count = minimum(CHUNK, block.k - first);
        const uint8_t *line = chunk + packing::scale_bytes(D);
        for (int64_t begin = 0; begin < count; begin += unit, line += unit / per_line * LINE) {
            __m512 sums[P][M];
            const int64_t lines = (minimum(unit, count - begin) + per_line - 1) / per_line;
            dot_lines<D, M, P>(decoder, x + (first + begin) * M, line, step, lines, sums);
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                __m512 scale = weight_scale<D>(panels + p * step, chunk + p * step, first / CHUNK, begin / unit);
                if (M == 1 && codes != nullptr) {
                    scale = _mm512_mul_ps(scale, _mm512_set1_ps(e8m0_to_float(codes[first / CHUNK])));
                }
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) {
                    float *total = totals + (p * M + m) * ROWS;
                    _mm512_store_ps(total, _mm512_fmadd_ps(sums[p][m], scale, _mm512_load_ps(total)));
                }
            }
            // totals stay in memory: otherwise the compiler moves them to registers and spills sums instead
            __asm__ volatile("" : : "r"(totals) : "memory");
        }
    }
    for (int p = 0; p < P; p++) {
        const int64_t at = (panel + p * apart) * ROWS;
        for (int m = 0; m < M; m++) {
            write(block.out, first_row + m, at, totals + (p * M + m) * ROWS, minimum(ROWS, block.columns - at));
        }
    }
}

/** M rows times the panels [panel, end). */
template <int D, int M>
void dot_rows(const Block &block, const uint16_t *x, const uint8_t *codes, int64_t first_row, int64_t panel,
              int64_t end) {
    constexpr int P = panels_for(D, M);
    // Weights that are read once come from memory, which delivers faster to streams that lie far apart.
    const int64_t apart = block.rows <= DOT_TILE ? (end - panel) / P : 1;
    const int64_t stride = apart == 1 ? P : 1;
    const int64_t whole = panel + (end - panel) / P * P;
    for (int64_t last = apart == 1 ? whole : panel + apart; panel < last; panel += stride) {
        dot_tile<D, M, P>(block, x, codes, first_row, panel, apart);
    }
    for (panel = whole; panel < end; panel++) {
        dot_tile<D, M, 1>(block, x, codes, first_row, panel, 1);
    }
}

template <int D>
void run(const Block &block) {
    const int64_t panels = packing::ceil_div(block.columns, ROWS);
    if (block.rows >= chunks::least_rows(D) && block.x.folded(block.rows)) {
        chunks::run<D>(block);
        return;
    }
    // with several tiles, all of them pass while the weights of the widest tile's panels are in the cache
    const int64_t group = block.rows <= DOT_TILE ? panels : panels_for(D, 1);
    for (int64_t begin = 0; begin < panels; begin += group) {
        const int64_t end = minimum(begin + group, panels);
        for_tiles<DOT_TILE>(block.rows, [&](int64_t first_row, auto height) {
            constexpr int M = decltype(height)::value;
            const Rows x = block.x.from(first_row);
            if (M > 1 && x.folded(M)) {
                dot_rows<D, M>(block, static_cast<const uint16_t *>(x.data), nullptr, first_row, begin, end);
                return;
            }
            for (int m = 0; m < M; m++) {
                const Rows one = x.from(m);
                const uint8_t *codes = one.folded(1) ? nullptr : one.codes;
                dot_rows<D, 1>(block, static_cast<const uint16_t *>(one.data), codes, first_row + m, begin, end);
            }
        });
    }
}

}  // namespace

BlockFn dot_kernel(int64_t x_dtype, int64_t weight_dtype) {
    if (x_dtype == WEFT_F32) {
        return nullptr;
    }
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

#elif !defined(WEFT_QUAD_TILES)

BlockFn dot_kernel(int64_t, int64_t) {
    return nullptr;
}

#endif

}  // namespace weft::WEFT_ISA::gemm

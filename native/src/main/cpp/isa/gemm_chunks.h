// Products of many rows with FP4 weights: each chunk of weights is decoded once for all tiles of a block.
//
// Decoding competes with the dots for the processor's units, so with many rows it is done ahead, into a buffer in the
// first-level cache. The scales are multiplied in there too, which for powers of two in a narrow range changes no bit
// of any sum: an addition leaves the dots' units alone, a multiply-add does not. Each result is the same chain of
// operations as in gemm_dot.cpp.
#ifndef WEFT_GEMM_CHUNKS_H
#define WEFT_GEMM_CHUNKS_H

#include "isa/gemm.h"
#include "isa/gemm_pairs.h"

#if defined(__AVX512BF16__) && defined(__AVX512VBMI__)

namespace weft::WEFT_ISA::gemm::chunks {

/** From here on decoding ahead wins. */
constexpr int64_t LEAST_ROWS = 40;

constexpr int64_t UNIT = packing::block(WEFT_F4_E2M1);
constexpr int64_t PER_LINE = packing::values_per_line(WEFT_F4_E2M1);
constexpr int64_t PAIRS_PER_LINE = PER_LINE / 2;

/** One chunk of P panels as BF16 pairs. */
template <int P>
struct Chunk {
    /** Bytes between panels, which do not lie a power of two apart. */
    static constexpr int64_t STEP = (CHUNK / 2 + 1) * LINE;
    alignas(64) uint8_t lines[P * STEP];
    __m512 scales[CHUNK / UNIT][P];
    int64_t pairs;
    /** Whether the values contain their scales. */
    bool scaled;
};

/** Whether all scales of a chunk are between 2^-40 and 2^40, as those of folded rows are. */
WEFT_INLINE bool foldable(const uint8_t *codes) {
    const __m512i above_least = _mm512_sub_epi8(_mm512_loadu_si512(codes), _mm512_set1_epi8(127 - 40));
    return _mm512_cmpgt_epu8_mask(above_least, _mm512_set1_epi8(80)) == 0;
}

/** In each half of dword r: what to add to BF16 bits to multiply them by the scale of row r. */
WEFT_INLINE __m512i exponents(__m512i codes) {
    const __m512i powers = _mm512_sub_epi32(codes, _mm512_set1_epi32(127));
    return _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_slli_epi32(powers, 7), _mm512_slli_epi32(powers, 23));
}

/** Decodes `count` K of the chunk at `from`, `step` bytes from panel to panel; `fold` allows to fold scales in. */
template <int P>
WEFT_INLINE void decode(const uint8_t *from, int64_t step, int64_t count, bool fold, Chunk<P> &to) {
    const Decoder<WEFT_F4_E2M1> decoder;
    const __m512i magnitude = _mm512_set1_epi16(0x7FFF);
    const int64_t lines = packing::ceil_div(count, PER_LINE);
    to.pairs = lines * PAIRS_PER_LINE;
    to.scaled = fold;
    for (int p = 0; p < P; p++) {
        to.scaled = to.scaled && foldable(from + p * step);
    }
    for (int64_t b = 0; b * UNIT < count; b++) {
        const int64_t end = minimum(lines, (b + 1) * UNIT / PER_LINE);
        for (int p = 0; p < P; p++) {
            const uint8_t *panel = from + p * step;
            const __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(panel + b * ROWS)));
            to.scales[b][p] = (__m512)decode_e8m0((vu)codes);
            const __m512i powers = to.scaled ? exponents(codes) : _mm512_setzero_si512();
            for (int64_t l = b * UNIT / PER_LINE; l < end; l++) {
                const uint8_t *line = panel + packing::scale_bytes(WEFT_F4_E2M1) + l * LINE;
                prefetch_weights(line);
                const __m512i raw = decoder.load(line);
                uint8_t *target = to.lines + p * to.STEP + l * PAIRS_PER_LINE * LINE;
#pragma GCC unroll 4
                for (int q = 0; q < PAIRS_PER_LINE; q++, target += LINE) {
                    const __m512i pair = decoder.pair(raw, q);
                    // zeros stay zeros
                    const __mmask32 values = _mm512_test_epi16_mask(pair, magnitude);
                    _mm512_store_si512(target, _mm512_mask_add_epi16(pair, values, pair, powers));
                }
            }
        }
    }
}

/**
 * Adds the products of M rows and a chunk to totals [panel][row][16]. Not inlined, for the compiler keeps the sums in
 * memory otherwise.
 */
template <int M, int P>
__attribute__((noinline)) void multiply(const uint16_t *x, const Chunk<P> &chunk, float *totals) {
    const uint8_t *line = chunk.lines;
    for (int64_t begin = 0; begin < chunk.pairs; begin += UNIT / 2) {
        __m512 sums[P][M];
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) {
                sums[p][m] = _mm512_setzero_ps();
            }
        }
        const int64_t lines = minimum(UNIT / 2, chunk.pairs - begin) / PAIRS_PER_LINE;
        for (int64_t l = 0; l < lines; l++) {
#pragma GCC unroll 4
            for (int q = 0; q < PAIRS_PER_LINE; q++, x += 2 * M, line += LINE) {
                __m512i w[P];
#pragma GCC unroll 4
                for (int p = 0; p < P; p++) {
                    w[p] = _mm512_load_si512(line + p * chunk.STEP);
                }
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) {
#pragma GCC unroll 4
                    for (int p = 0; p < P; p++) {
                        add_dots(sums[p][m], w[p], x + 2 * m);
                    }
                }
            }
        }
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) {
                float *total = totals + (p * M + m) * ROWS;
                const __m512 before = _mm512_load_ps(total);
                const __m512 scale = chunk.scales[begin * 2 / UNIT][p];
                _mm512_store_ps(total, chunk.scaled ? _mm512_add_ps(before, sums[p][m])
                                                    : _mm512_fmadd_ps(sums[p][m], scale, before));
            }
        }
        // totals stay in memory: otherwise the compiler moves them to registers and spills sums instead
        __asm__ volatile("" : : "r"(totals) : "memory");
    }
}

/** All rows of a block times the panels [panel, panel + P). */
template <int P>
void run(const Block &block, int64_t panel) {
    const int64_t step = packing::panel_bytes(WEFT_F4_E2M1, block.k);
    const auto *x = static_cast<const uint16_t *>(block.x.data);
    const uint8_t *from = block.panels + panel * step;
    Chunk<P> chunk;
    alignas(64) float totals[BLOCK_ROWS * P * ROWS];
    __builtin_memset(totals, 0, (uint64_t)(block.rows * P * ROWS) * sizeof(float));
    for (int64_t first = 0; first < block.k; first += CHUNK, from += packing::chunk_bytes(WEFT_F4_E2M1)) {
        decode(from, step, minimum(CHUNK, block.k - first), block.x.codes != nullptr, chunk);
        for_tiles<DOT_TILE>(block.rows, [&](int64_t begin, auto height) {
            constexpr int M = decltype(height)::value;
            multiply<M>(x + begin * block.x.stride + first * M, chunk, totals + begin * P * ROWS);
        });
    }
    for_tiles<DOT_TILE>(block.rows, [&](int64_t begin, auto height) {
        constexpr int M = decltype(height)::value;
        const float *tile = totals + begin * P * ROWS;
        for (int p = 0; p < P; p++) {
            const int64_t at = (panel + p) * ROWS;
            for (int m = 0; m < M; m++) {
                write(block.out, begin + m, at, tile + (p * M + m) * ROWS, minimum(ROWS, block.columns - at));
            }
        }
    });
}

/** A block of folded rows, at most BLOCK_ROWS. */
WEFT_INLINE void run(const Block &block) {
    const int64_t panels = packing::ceil_div(block.columns, ROWS);
    const int64_t even = panels / 2 * 2;
    for (int64_t panel = 0; panel < even; panel += 2) {
        run<2>(block, panel);
    }
    if (even < panels) {
        run<1>(block, even);
    }
}

}  // namespace weft::WEFT_ISA::gemm::chunks

#endif

#endif

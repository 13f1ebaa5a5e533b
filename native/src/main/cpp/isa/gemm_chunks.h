// Products of many rows with 16-bit dots: one chunk of weights at a time, in the first-level cache, for all tiles of a
// block.
//
// BF16 weights are read where they lie. FP4 and FP8 weights are decoded ahead into a buffer, for decoding competes with
// the dots for the processor's units. FP4 scales are multiplied in there too, which for powers of two in a narrow range
// changes no bit of any sum: an addition leaves the dots' units alone, a multiply-add does not. Each result is the same
// chain of operations as in gemm_dot.cpp.
#ifndef WEFT_GEMM_CHUNKS_H
#define WEFT_GEMM_CHUNKS_H

#include "isa/gemm.h"
#include "isa/gemm_pairs.h"

#if defined(__AVX512BF16__) && defined(__AVX512VBMI__)

namespace weft::WEFT_ISA::gemm::chunks {

/** Rows from which a chunk at a time wins: enough for high tiles or, with decoded weights, to pay for the buffer. */
constexpr int64_t least_rows(int dtype) {
    return dtype == WEFT_BF16 ? 3 * DOT_TILE : 40;
}

/**
 * Most panels at a time: their sums with DOT_TILE rows, their weights and a pair of x fit the registers. FP4's totals,
 * which are added to after every 32 K, had better stay few.
 */
constexpr int most_panels(int dtype) {
    return dtype == WEFT_F4_E2M1 ? 2 : 3;
}

/**
 * Whether multiply() asks for the next chunk while it works on one. FP4's are short enough to be asked for while they are
 * decoded; the others would keep the first tile of each chunk waiting for memory.
 */
template <int D>
constexpr bool ASKS_AHEAD = D != WEFT_F4_E2M1;

/** Where BF16 pairs are decoded to. */
template <int P>
struct Buffer {
    /** Bytes between panels, which do not lie a power of two apart. */
    static constexpr int64_t STEP = (CHUNK / 2 + 1) * LINE;
    alignas(64) uint8_t lines[P * STEP];
};

/** One chunk of P panels as BF16 pairs, a line each. */
template <int D, int P>
struct Chunk {
    /** Pairs that share a scale. */
    static constexpr int64_t UNIT = packing::block(D) / 2;
    const uint8_t *lines;
    int64_t step;
    int64_t pairs;
    __m512 scales[CHUNK / 2 / UNIT][P];
    /** Whether the values contain their scales. */
    bool scaled;
};

/** Whether all FP4 scales of a chunk are between 2^-40 and 2^40, as those of folded rows are. */
WEFT_INLINE bool foldable(const uint8_t *codes) {
    const __m512i above_least = _mm512_sub_epi8(_mm512_loadu_si512(codes), _mm512_set1_epi8(127 - 40));
    return _mm512_cmpgt_epu8_mask(above_least, _mm512_set1_epi8(80)) == 0;
}

/** In each half of dword r: what to add to BF16 bits to multiply them by the scale of row r. */
WEFT_INLINE __m512i exponents(__m512i codes) {
    const __m512i powers = _mm512_sub_epi32(codes, _mm512_set1_epi32(127));
    return _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_slli_epi32(powers, 7), _mm512_slli_epi32(powers, 23));
}

/** BF16 pairs times powers of two; zeros stay zeros. */
WEFT_INLINE __m512i scale_pairs(__m512i pairs, __m512i exponents) {
    const __mmask32 values = _mm512_test_epi16_mask(pairs, _mm512_set1_epi16(0x7FFF));
    return _mm512_mask_add_epi16(pairs, values, pairs, exponents);
}

/** Decodes `lines` lines at `from`; with FP4 times the scales whose codes are given, unless these are null. */
template <int D>
WEFT_INLINE void decode_lines(const Decoder<D> &decoder, const uint8_t *from, int64_t lines, const uint8_t *codes,
                              uint8_t *to) {
    constexpr int64_t unit = packing::block(D) / packing::values_per_line(D);
    __m512i powers = {};
    for (int64_t l = 0; l < lines; l++, from += LINE) {
        if (codes != nullptr && l % unit == 0) {
            powers = exponents(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(codes + l / unit * ROWS))));
        }
        if constexpr (!ASKS_AHEAD<D>) {
            prefetch_weights<most_panels(D)>(from);
        }
        const auto raw = decoder.load(from);
#pragma GCC unroll 4
        for (int q = 0; q < Decoder<D>::PAIRS; q++, to += LINE) {
            const __m512i pairs = decoder.pair(raw, q);
            _mm512_store_si512(to, codes == nullptr ? pairs : scale_pairs(pairs, powers));
        }
    }
}

/** The chunk at K `first` of the panels at `panels`, `step` bytes apart; `fold` allows to fold scales in. */
template <int D, int P>
WEFT_INLINE void prepare(const uint8_t *panels, int64_t step, int64_t k, int64_t first, bool fold, Buffer<P> &buffer,
                         Chunk<D, P> &to) {
    const uint8_t *from = panels + packing::header_bytes(D, k) + first / CHUNK * packing::chunk_bytes(D);
    const int64_t lines = packing::ceil_div(minimum(CHUNK, k - first), packing::values_per_line(D));
    to.pairs = lines * Decoder<D>::PAIRS;
    if constexpr (D == WEFT_BF16) {
        to.lines = from;
        to.step = step;
        to.scaled = true;
        return;
    }
    const Decoder<D> decoder;
    to.lines = buffer.lines;
    to.step = buffer.STEP;
    to.scaled = D == WEFT_F4_E2M1 && fold;
    for (int p = 0; p < P; p++) {
        to.scaled = to.scaled && foldable(from + p * step);
    }
    for (int p = 0; p < P; p++) {
        for (int64_t b = 0; b * to.UNIT < to.pairs; b++) {
            to.scales[b][p] = weight_scale<D>(panels + p * step, from + p * step, first / CHUNK, b);
        }
        decode_lines(decoder, from + p * step + packing::scale_bytes(D), lines,
                     to.scaled ? from + p * step : nullptr, buffer.lines + p * buffer.STEP);
    }
}

/** What one tile asks for of the next chunk: from each panel some bytes of a line per pair. */
struct Ahead {
    const uint8_t *from;
    int64_t step;
    int64_t pace;
};

/** Part `i` of `parts` of the chunk at `from`. */
template <int D>
WEFT_INLINE Ahead ahead_of(const uint8_t *from, int64_t step, int64_t i, int64_t parts) {
    const int64_t pace = packing::chunk_bytes(D) / (parts * CHUNK / 2) + 1;
    return {from + i * pace * CHUNK / 2, step, pace};
}

/** Adds the dots of M rows' pairs at x with the pairs of P panels. */
template <int M, int P>
WEFT_INLINE void add_pairs(const uint16_t *x, const __m512i (&w)[P], __m512 (&sums)[P][M]) {
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
        const uint16_t *pair = x + 2 * m;
        if constexpr (P < most_panels(WEFT_BF16)) {
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                add_dots(sums[p][m], w[p], pair);
            }
        } else {
            // read once for all panels; the compiler spills so many sums around the other form
            int32_t bits;
            __builtin_memcpy(&bits, pair, sizeof(bits));
            const auto both = (__m512bh)_mm512_set1_epi32(bits);
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                sums[p][m] = _mm512_dpbf16_ps(sums[p][m], (__m512bh)w[p], both);
            }
        }
    }
}

/**
 * Adds the products of M rows and a chunk to totals [panel][row][16]. Not inlined, for the compiler keeps the sums in
 * memory otherwise.
 */
template <int D, int M, int P>
__attribute__((noinline)) void multiply(const uint16_t *x, const Chunk<D, P> &chunk, Ahead ahead, float *totals) {
    const uint8_t *line = chunk.lines;
    const int64_t step = chunk.step;
    for (int64_t begin = 0; begin < chunk.pairs; begin += chunk.UNIT) {
        __m512 sums[P][M];
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) {
                sums[p][m] = _mm512_setzero_ps();
            }
        }
        const int64_t end = minimum(chunk.UNIT, chunk.pairs - begin);
        for (int64_t i = 0; i < end; i += Decoder<D>::PAIRS) {
#pragma GCC unroll 4
            for (int q = 0; q < Decoder<D>::PAIRS; q++, x += 2 * M, line += LINE) {
                __m512i w[P];
#pragma GCC unroll 4
                for (int p = 0; p < P; p++) {
                    w[p] = _mm512_load_si512(line + p * step);
                    if constexpr (ASKS_AHEAD<D>) {
                        __builtin_prefetch(ahead.from + p * ahead.step, 0, 2);
                    }
                }
                ahead.from += ahead.pace;
                add_pairs<M, P>(x, w, sums);
            }
        }
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) {
                float *total = totals + (p * M + m) * ROWS;
                const __m512 before = _mm512_load_ps(total);
                const __m512 scale = chunk.scales[begin / chunk.UNIT][p];
                _mm512_store_ps(total, chunk.scaled ? _mm512_add_ps(before, sums[p][m])
                                                    : _mm512_fmadd_ps(sums[p][m], scale, before));
            }
        }
        // totals stay in memory: otherwise the compiler moves them to registers and spills sums instead
        __asm__ volatile("" : : "r"(totals) : "memory");
    }
}

/** All rows of a block times the panels [panel, panel + P). */
template <int D, int P>
void run(const Block &block, int64_t panel) {
    const int64_t step = packing::panel_bytes(D, block.k);
    const auto *x = static_cast<const uint16_t *>(block.x.data);
    const uint8_t *panels = block.panels + panel * step;
    const uint8_t *next = panels + packing::header_bytes(D, block.k) + packing::chunk_bytes(D);
    const int64_t tiles = packing::ceil_div(block.rows, DOT_TILE);
    Buffer<P> buffer;
    Chunk<D, P> chunk;
    alignas(64) float totals[BLOCK_ROWS * P * ROWS];
    __builtin_memset(totals, 0, (uint64_t)(block.rows * P * ROWS) * sizeof(float));
    for (int64_t first = 0; first < block.k; first += CHUNK, next += packing::chunk_bytes(D)) {
        prepare(panels, step, block.k, first, block.x.codes != nullptr, buffer, chunk);
        for_tiles<DOT_TILE>(block.rows, [&](int64_t begin, auto height) {
            constexpr int M = decltype(height)::value;
            const Ahead ahead = ahead_of<D>(next, step, begin / DOT_TILE, tiles);
            multiply<D, M, P>(x + begin * block.x.stride + first * M, chunk, ahead, totals + begin * P * ROWS);
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
template <int D>
void run(const Block &block) {
    const int64_t panels = packing::ceil_div(block.columns, ROWS);
    for (int64_t panel = 0; panel < panels;) {
        const int64_t left = panels - panel;
        // two twos rather than three and one, whose few sums could not hide the latency of their chains
        const int64_t width = left == 4 ? 2 : minimum(left, most_panels(D));
        with_constant<most_panels(D)>(width, [&](auto constant) { run<D, decltype(constant)::value>(block, panel); });
        panel += width;
    }
}

}  // namespace weft::WEFT_ISA::gemm::chunks

#endif

#endif

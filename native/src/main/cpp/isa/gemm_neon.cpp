// Products of BF16 or FP8 activations at the aarch64 levels (gemm_neon.h).
//
// The sum of a weight block is one chain in ascending K quads for every number of rows, scaled and added to the total.
// Up to four rows are multiplied by groups decoded in registers; more rows share a chunk of groups decoded to a buffer
// in the first-level cache, since decoding and multiplying compete for the same units.
#include "isa/gemm_neon.h"

namespace weft::WEFT_ISA::gemm {

#if defined(WEFT_QUAD_TILES)

namespace {

/** Vectors per line: each holds dwords of four rows of weights. */
constexpr int COLUMNS = int(ROWS) / 4;

/** Rows whose sums with a whole panel leave registers for decoding: 16 of 32. */
constexpr int DIRECT_ROWS = 4;

/** Columns of a tile of M rows: with 16 sums at least eight are independent of each other's latency. */
constexpr int columns_for(int rows) {
    return rows <= DIRECT_ROWS ? COLUMNS : COLUMNS / 2;
}

/** Panels that M rows are multiplied by at a time when decoded in registers: as many as eight chains need. */
constexpr int panels_for(int rows) {
    return Unit::sums(rows) * COLUMNS < 8 ? 2 : 1;
}

/** Packed lines as a source of groups; columns go on in the next panel. */
template <int D>
struct Packed {
    static constexpr int GROUPS = GroupDecoder<D>::GROUPS;
    static constexpr int64_t STEP = GroupDecoder<D>::LINES * LINE;
    static constexpr bool LAST_APART = GroupDecoder<D>::LINES > 1;
    int64_t panel_bytes;
    GroupDecoder<D> decoder = {};

    __attribute__((always_inline)) void groups(const uint8_t *step, int column, Group (&out)[GROUPS]) const {
        const uint8_t *line = step + column / COLUMNS * panel_bytes;
        if (D == WEFT_F4_E2M1 && column % COLUMNS == 0) {
            prefetch_weights<2>(line);
        }
        decoder.decode(line + 16 * (column % COLUMNS), out);
    }
};

/** Decoded groups, [quad of K][column]. */
struct Decoded {
    static constexpr int GROUPS = 1;
    static constexpr int64_t STEP = COLUMNS * int64_t(sizeof(Group));
    static constexpr bool LAST_APART = false;

    __attribute__((always_inline)) void groups(const uint8_t *step, int column, Group (&out)[GROUPS]) const {
        const uint8_t *at = step + column * int64_t(sizeof(Group));
        out[0] = {vld1q_u8(at), vld1q_u8(at + 16)};
    }
};

/** Steps of a source that follow each other, except that the last one of some sources may lie apart. */
struct Steps {
    const uint8_t *first;
    const uint8_t *last;
    int64_t count;

    template <class Source>
    __attribute__((always_inline)) const uint8_t *at(int64_t step) const {
        return Source::LAST_APART && step == count - 1 ? last : first + step * Source::STEP;
    }
};

/** What a weight block's sums are multiplied by: for each row of the panels and for each vector of M rows' sums. */
struct Scales {
    const float *weights;
    const float32x4_t *rows;
};

/** The sums of one weight block with M rows and C columns, each a chain over the steps. */
template <class Source, int M, int C, int SUMS>
WEFT_INLINE void sum_block(const Source &source, const Steps &steps, int first_column, const uint16_t *quads,
                           float32x4_t (&sums)[C][SUMS]) {
    // registers hold the sums only if every loop over them, this one too, is unrolled early
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
#pragma GCC unroll 8
        for (int i = 0; i < SUMS; i++) {
            sums[c][i] = vdupq_n_f32(0);
        }
    }
    for (int64_t s = 0; s < steps.count; s++, quads += Source::GROUPS * 4 * M) {
        const uint8_t *step = steps.at<Source>(s);
#pragma GCC unroll 8
        for (int c = 0; c < C; c++) {
            Group groups[Source::GROUPS];
            source.groups(step, first_column + c, groups);
#pragma GCC unroll 2
            for (int g = 0; g < Source::GROUPS; g++) {
                Unit::add<M>(groups[g], quads + g * 4 * M, sums[c]);
            }
        }
    }
}

/** Adds one weight block of P panels times M rows to totals [column][sum]. */
template <int D, class Source, int M, int P>
WEFT_INLINE void add_block(const Source &source, const Steps &steps, const uint16_t *quads, const Scales &scales,
                           float32x4_t *totals) {
    constexpr int C = P * columns_for(M);
    constexpr int SUMS = Unit::sums(M);
#pragma GCC unroll 1
    for (int first = 0; first < P * COLUMNS; first += C) {
        float32x4_t sums[C][SUMS];
        sum_block<Source, M>(source, steps, first, quads, sums);
#pragma GCC unroll 8
        for (int c = 0; c < C; c++) {
            const float32x4_t weights = vld1q_f32(scales.weights + (first + c) * 4);
#pragma GCC unroll 8
            for (int i = 0; i < SUMS; i++) {
                float32x4_t &total = totals[(first + c) * SUMS + i];
                const float32x4_t scale = vmulq_f32(Unit::spread_weights(weights, i), scales.rows[i]);
                total = vfmaq_f32(total, GroupDecoder<D>::unscaled(sums[c][i]), scale);
            }
        }
        // totals stay in memory: the registers are for the sums
        __asm__ volatile("" : : "r"(totals) : "memory");
    }
}

/** The scales of M rows of x in a chunk, as Scales::rows. */
template <int M>
WEFT_INLINE void row_scales(const Rows &x, int64_t chunk_index, float32x4_t (&to)[Unit::sums(M)]) {
    float of_rows[M];
    for (int m = 0; m < M; m++) {
        of_rows[m] = x.codes == nullptr ? 1.0f : e8m0_to_float(x.codes[m * x.codes_stride + chunk_index]);
    }
    for (int i = 0; i < Unit::sums(M); i++) {
        to[i] = Unit::spread_rows<M>(of_rows, i);
    }
}

/** One chunk of P panels. */
template <int D, int P>
struct Chunk {
    static constexpr int64_t UNIT = packing::block(D);
    static constexpr int64_t STEP_K = 4 * Packed<D>::GROUPS;
    int64_t index;
    int64_t k;
    const uint8_t *lines;
    /** Scales, [block][panel][row]. */
    alignas(16) float weights[CHUNK / UNIT * P * ROWS];
    alignas(16) uint8_t filled[Packed<D>::STEP];

    Chunk(const Block &block, const uint8_t *panel, int64_t index)
        : index(index), k(minimum(CHUNK, block.k - index * CHUNK)) {
        const uint8_t *chunk = panel + packing::header_bytes(D, block.k) + index * packing::chunk_bytes(D);
        lines = chunk + packing::scale_bytes(D);
        for (int64_t p = 0; p < P; p++) {
            const int64_t from = p * packing::panel_bytes(D, block.k);
            for (int64_t i = 0; i < packing::ceil_div(k, UNIT) * ROWS; i += W) {
                store(weights + (i / ROWS * P + p) * ROWS + i % ROWS, scale(panel + from, chunk + from, i));
            }
        }
    }

    /**
     * The lines of the weight block that begins at K `begin`. If the last step lacks its second line, it is
     * copied and filled up with zeros: what follows may be another panel, or nothing.
     */
    __attribute__((always_inline)) Steps steps(int64_t begin) {
        const int64_t count = minimum(UNIT, k - begin);
        const uint8_t *first = lines + begin / packing::values_per_line(D) * LINE;
        Steps s = {first, nullptr, packing::ceil_div(count, STEP_K)};
        if constexpr (Packed<D>::LAST_APART) {
            static_assert(P == 1 && Packed<D>::STEP == 2 * LINE);
            s.last = first + (s.count - 1) * Packed<D>::STEP;
            if (packing::ceil_div(count, packing::values_per_line(D)) % 2 == 1) {
                __builtin_memcpy(filled, s.last, LINE);
                __builtin_memset(filled + LINE, 0, LINE);
                s.last = filled;
            }
        }
        return s;
    }

private:
    /** Scales i to i + W of [block][row]. */
    __attribute__((always_inline)) vf scale(const uint8_t *panel, const uint8_t *chunk, int64_t i) const {
        if constexpr (D == WEFT_F8_E4M3) {
            return broadcast(e8m0_to_float(panel[index]));
        } else if constexpr (D == WEFT_F4_E2M1) {
            vb codes;
            __builtin_memcpy(&codes, chunk + i, W);
            return decode_e8m0(widen(codes));
        } else {
            return broadcast(1.0f);
        }
    }
};

template <int M>
void write_tile(const Block &block, int64_t first_row, int64_t column, const float32x4_t *totals) {
    for (int m = 0; m < M; m++) {
        float sums[ROWS];
        for (int c = 0; c < COLUMNS; c++) {
            vst1q_f32(sums + 4 * c, Unit::row(totals + c * Unit::sums(M), m));
        }
        write(block.out, first_row + m, column, sums, minimum(ROWS, block.columns - column));
    }
}

/** All M rows of a block times P panels, decoded in registers. */
template <int D, int M, int P>
void multiply_direct(const Block &block, const uint8_t *panel, int64_t column) {
    const Packed<D> source = {packing::panel_bytes(D, block.k)};
    float32x4_t totals[P * COLUMNS * Unit::sums(M)] = {};
    for (int64_t first = 0; first < block.k; first += CHUNK) {
        Chunk<D, P> chunk(block, panel, first / CHUNK);
        float32x4_t rows[Unit::sums(M)];
        row_scales<M>(block.x, chunk.index, rows);
        for (int64_t k = 0; k < chunk.k; k += chunk.UNIT) {
            const auto *x = static_cast<const uint16_t *>(block.x.data) + (first + k) * M;
            const Scales scales = {chunk.weights + k / chunk.UNIT * P * ROWS, rows};
            add_block<D, Packed<D>, M, P>(source, chunk.steps(k), x, scales, totals);
        }
    }
    for (int p = 0; p < P; p++) {
        write_tile<M>(block, 0, column + p * ROWS, totals + p * COLUMNS * Unit::sums(M));
    }
}

/** Decodes a chunk to [quad of K][column]. */
template <int D>
void decode(const Packed<D> &source, Chunk<D, 1> &chunk, Group *to) {
    for (int64_t k = 0; k < chunk.k; k += chunk.UNIT) {
        const Steps steps = chunk.steps(k);
        for (int64_t s = 0; s < steps.count; s++, to += source.GROUPS * COLUMNS) {
            const uint8_t *step = steps.at<Packed<D>>(s);
            if constexpr (D != WEFT_F4_E2M1) {
                prefetch_weights<2>(step);
            }
#pragma GCC unroll 4
            for (int c = 0; c < COLUMNS; c++) {
                Group groups[source.GROUPS];
                source.groups(step, c, groups);
#pragma GCC unroll 2
                for (int g = 0; g < source.GROUPS; g++) {
                    to[g * COLUMNS + c] = groups[g];
                }
            }
        }
    }
}

/** All rows of a block times one panel, each chunk decoded once. */
template <int D>
void multiply_shared(const Block &block, const uint8_t *panel, int64_t column) {
    constexpr int64_t tile_totals = COLUMNS * Unit::sums(DOT_TILE);
    const Packed<D> source = {packing::panel_bytes(D, block.k)};
    alignas(64) Group groups[CHUNK / 4 * COLUMNS];
    float32x4_t totals[BLOCK_ROWS / DOT_TILE * tile_totals] = {};
    for (int64_t first = 0; first < block.k; first += CHUNK) {
        Chunk<D, 1> chunk(block, panel, first / CHUNK);
        decode(source, chunk, groups);
        float32x4_t *total = totals;
        for_tiles<DOT_TILE>(block.rows, [&](int64_t begin, auto height) {
            constexpr int M = decltype(height)::value;
            const Rows tile = block.x.from(begin);
            float32x4_t rows[Unit::sums(M)];
            row_scales<M>(tile, chunk.index, rows);
            for (int64_t k = 0; k < chunk.k; k += chunk.UNIT) {
                const auto *x = static_cast<const uint16_t *>(tile.data) + (first + k) * M;
                const Scales scales = {chunk.weights + k / chunk.UNIT * ROWS, rows};
                const auto *quads = reinterpret_cast<const uint8_t *>(groups + k / 4 * COLUMNS);
                const int64_t count = packing::ceil_div(minimum(chunk.UNIT, chunk.k - k), 4);
                const Steps steps = {quads, nullptr, count};
                add_block<D, Decoded, M, 1>(Decoded{}, steps, x, scales, total);
            }
            total += tile_totals;
        });
    }
    const float32x4_t *total = totals;
    for_tiles<DOT_TILE>(block.rows, [&](int64_t begin, auto height) {
        write_tile<decltype(height)::value>(block, begin, column, total);
        total += tile_totals;
    });
}

/** At most DIRECT_ROWS rows. */
template <int D, int M>
void run_direct(const Block &block) {
    constexpr int P = panels_for(M);
    const int64_t step = packing::panel_bytes(D, block.k);
    const uint8_t *panel = block.panels;
    int64_t column = 0;
    for (; column + (P - 1) * ROWS < block.columns; column += P * ROWS, panel += P * step) {
        multiply_direct<D, M, P>(block, panel, column);
    }
    for (; column < block.columns; column += ROWS, panel += step) {
        multiply_direct<D, M, 1>(block, panel, column);
    }
}

template <int D>
void run(const Block &block) {
    if (block.rows <= DIRECT_ROWS) {
        with_constant<DIRECT_ROWS>(block.rows, [&](auto height) { run_direct<D, decltype(height)::value>(block); });
        return;
    }
    const int64_t step = packing::panel_bytes(D, block.k);
    const uint8_t *panel = block.panels;
    for (int64_t column = 0; column < block.columns; column += ROWS, panel += step) {
        multiply_shared<D>(block, panel, column);
    }
}

}  // namespace

BlockFn dot_kernel(int64_t x_dtype, int64_t weight_dtype) {
    if (!Unit::holds(x_dtype)) {
        return nullptr;
    }
    switch (weight_dtype) {
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
        case WEFT_BF16:
            return run<WEFT_BF16>;
#endif
        case WEFT_F8_E4M3:
            return run<WEFT_F8_E4M3>;
        case WEFT_F4_E2M1:
            return run<WEFT_F4_E2M1>;
        default:
            return nullptr;
    }
}

#endif

}  // namespace weft::WEFT_ISA::gemm

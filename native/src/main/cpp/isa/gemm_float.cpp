// Products of F32 activations: weights become F32 exactly, sums are F32 fused multiply-adds.
//
// The sum of a weight block (32 or 128 K) is one chain in ascending K, then scaled and added to the total. Every path
// below performs this same chain for each result, so a row's bits do not depend on the other rows. One row goes through
// stream(), which decodes in registers; more rows share weights decoded to a buffer in the first-level cache.
#include "isa/gemm.h"
#include "isa/gemm_decode.h"

namespace weft::WEFT_ISA::gemm {

namespace {

/** Vectors per panel. */
constexpr int V = int(ROWS) / W;

/** Panels of a tile: its sums, FLOAT_TILE rows times these, fit the registers; three decoded ones crowd the L1 cache. */
constexpr int tile_panels(int dtype) {
    return W < 16 ? 1 : dtype == WEFT_F32 ? 3 : 2;
}

/** Panels that one row is multiplied by at a time: four independent chains hide the latency of the multiply-add. */
constexpr int STREAM_PANELS = W / 4;

/** The scales of block b of the chunk at `chunk` (counted from the panel's start) for vector v of the rows. */
template <int D>
WEFT_INLINE vf weight_scale(const uint8_t *panel, const uint8_t *chunk, int64_t chunk_index, int64_t b, int v) {
    if constexpr (D == WEFT_F8_E4M3) {
        return broadcast(e8m0_to_float(panel[chunk_index]));
    } else if constexpr (D == WEFT_F4_E2M1) {
        vb codes;
        __builtin_memcpy(&codes, chunk + b * ROWS + v * W, W);
        return decode_e8m0(widen(codes));
    } else {
        return broadcast(1.0f);
    }
}

WEFT_INLINE float row_scale(const Rows &x, int64_t row, int64_t chunk_index) {
    return x.codes == nullptr ? 1.0f : e8m0_to_float(x.codes[row * x.codes_stride + chunk_index]);
}

WEFT_INLINE const float *row(const Rows &x, int64_t index) {
    return static_cast<const float *>(x.data) + index * x.stride;
}

/** Adds the products of one row with the first `used` values of a line of each of P panels to sums. */
template <int D, int P>
WEFT_INLINE void stream_line(const float *x, const uint8_t *line, int64_t step, int used, vf (&sums)[P][V]) {
    constexpr int per_line = int(packing::values_per_line(D));
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
        if constexpr (D == WEFT_F4_E2M1) {
            prefetch_weights<P>(line + p * step);
        }
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            vf w[per_line];
            decode_dwords<D>(line + p * step + v * W * 4, w);
#pragma GCC unroll 8
            for (int j = 0; j < per_line; j++) {
                if (j < used) {
                    sums[p][v] = fma(broadcast(x[j]), w[j], sums[p][v]);
                }
            }
        }
    }
}

/** stream_line for `count` values. */
template <int D, int P>
WEFT_INLINE void stream_lines(const float *x, const uint8_t *lines, int64_t step, int64_t count, vf (&sums)[P][V]) {
    constexpr int per_line = int(packing::values_per_line(D));
    int64_t k = 0;
    for (; k + per_line <= count; k += per_line, lines += LINE) {
        stream_line<D, P>(x + k, lines, step, per_line, sums);
    }
    if (k < count) {
        stream_line<D, P>(x + k, lines, step, int(count - k), sums);
    }
}

/** Accumulators stay in registers only if every loop over them, this one too, is unrolled early. */
template <int A, int B>
WEFT_INLINE void clear(vf (&sums)[A][B]) {
#pragma GCC unroll 8
    for (int a = 0; a < A; a++) {
#pragma GCC unroll 8
        for (int b = 0; b < B; b++) {
            sums[a][b] = vf{};
        }
    }
}

/** One row times P panels. */
template <int D, int P>
void stream(const Block &block, const uint8_t *panels, int64_t column) {
    constexpr int64_t unit = packing::block(D);
    const int64_t step = packing::panel_bytes(D, block.k);
    const uint8_t *chunk = panels + packing::header_bytes(D, block.k);
    const float *x = row(block.x, 0);
    vf totals[P][V];
    clear(totals);
    for (int64_t first = 0; first < block.k; first += CHUNK, chunk += packing::chunk_bytes(D)) {
        const int64_t chunk_index = first / CHUNK;
        const vf sx = broadcast(row_scale(block.x, 0, chunk_index));
        const int64_t count = minimum(CHUNK, block.k - first);
        for (int64_t begin = 0; begin < count; begin += unit) {
            vf sums[P][V];
            clear(sums);
            const uint8_t *lines = chunk + packing::scale_bytes(D) + begin / packing::values_per_line(D) * LINE;
            stream_lines<D, P>(x + first + begin, lines, step, minimum(unit, count - begin), sums);
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) {
                    vf sw = weight_scale<D>(panels + p * step, chunk + p * step, chunk_index, begin / unit, v);
                    totals[p][v] = fma(sums[p][v], sw * sx, totals[p][v]);
                }
            }
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
        float sums[ROWS];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            store(sums + v * W, totals[p][v]);
        }
        int64_t at = column + p * ROWS;
        write(block.out, 0, at, sums, minimum(ROWS, block.columns - at));
    }
}

/** Weights of one chunk of P panels as F32, [panel][k][row], and their scales [block][panel][row]. */
template <int P>
struct Decoded {
    /** Elements between panels, which do not lie a power of two apart. */
    static constexpr int64_t STEP = (CHUNK + 1) * ROWS;
    alignas(64) float values[P * STEP];
    alignas(64) float scales[CHUNK / 32 * P * ROWS];
};

template <int D, int P>
void decode(const Block &block, const uint8_t *panel, int p, int64_t first, Decoded<P> &to) {
    constexpr int per_line = int(packing::values_per_line(D));
    constexpr int64_t unit = packing::block(D);
    const int64_t count = minimum(CHUNK, block.k - first);
    const int64_t chunk_index = first / CHUNK;
    const uint8_t *chunk = panel + packing::header_bytes(D, block.k) + chunk_index * packing::chunk_bytes(D);
    const uint8_t *line = chunk + packing::scale_bytes(D);
    float *values = to.values + p * to.STEP;
    for (int64_t k = 0; k < count && D != WEFT_F32; k += per_line, line += LINE) {
        prefetch_weights<2>(line);
        for (int v = 0; v < V; v++) {
            vf w[per_line];
            decode_dwords<D>(line + v * W * 4, w);
#pragma GCC unroll 8
            for (int j = 0; j < per_line; j++) {
                store(values + (k + j) * ROWS + v * W, w[j]);
            }
        }
    }
    for (int64_t b = 0; b * unit < count; b++) {
        for (int v = 0; v < V; v++) {
            store(to.scales + (b * P + p) * ROWS + v * W, weight_scale<D>(panel, chunk, chunk_index, b, v));
        }
    }
}

/** Adds one weight block's products with M rows to totals [row][panel][16]; `step` elements from panel to panel. */
template <bool STREAMED, int M, int P>
WEFT_INLINE void tile(const float *x, const float *w, int64_t step, int64_t count, const float *sw, const float *sx,
                      float *totals) {
    vf sums[M][P * V];
    clear(sums);
    for (int64_t k = 0; k < count; k++, x += M, w += ROWS) {
        vf wk[P * V];
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
            if constexpr (STREAMED) {
                prefetch_weights<P>((const uint8_t *)(w + p * step));
            }
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) {
                wk[p * V + v] = load(w + p * step + v * W);
            }
        }
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            const vf xk = broadcast(x[m]);
#pragma GCC unroll 8
            for (int c = 0; c < P * V; c++) {
                sums[m][c] = fma(xk, wk[c], sums[m][c]);
            }
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
#pragma GCC unroll 8
        for (int c = 0; c < P * V; c++) {
            float *total = totals + m * P * ROWS + c * W;
            store(total, fma(sums[m][c], load(sw + c * W) * broadcast(sx[m]), load(total)));
        }
    }
}

/** All rows of a block (at most BLOCK_ROWS) times P panels, `apart` panels from one to the next. */
template <int D, int P>
void multiply(const Block &block, int64_t panel, int64_t apart) {
    constexpr int64_t unit = packing::block(D);
    const uint8_t *panels = block.panels + panel * packing::panel_bytes(D, block.k);
    const int64_t step = apart * packing::panel_bytes(D, block.k);
    alignas(64) float totals[BLOCK_ROWS * P * ROWS];
    Decoded<P> decoded;
    __builtin_memset(totals, 0, (uint64_t)(block.rows * P * ROWS) * 4);
    for (int64_t first = 0; first < block.k; first += CHUNK) {
        for (int p = 0; p < P; p++) {
            decode<D, P>(block, panels + p * step, p, first, decoded);
        }
        // F32 weights are read where they lie
        const float *weights = D == WEFT_F32 ? (const float *)panels + first * ROWS : decoded.values;
        const int64_t weight_step = D == WEFT_F32 ? step / 4 : decoded.STEP;
        const int64_t count = minimum(CHUNK, block.k - first);
        for_tiles<FLOAT_TILE>(block.rows, [&](int64_t begin, auto height) {
            constexpr int M = decltype(height)::value;
            float sx[M];
            for (int m = 0; m < M; m++) {
                sx[m] = row_scale(block.x, begin + m, first / CHUNK);
            }
            for (int64_t b = 0; b * unit < count; b++) {
                tile<D == WEFT_F32, M, P>(row(block.x, begin) + (first + b * unit) * M, weights + b * unit * ROWS,
                                          weight_step, minimum(unit, count - b * unit),
                                          decoded.scales + b * P * ROWS, sx, totals + begin * P * ROWS);
            }
        });
    }
    for (int64_t r = 0; r < block.rows; r++) {
        for (int p = 0; p < P; p++) {
            const int64_t at = (panel + p * apart) * ROWS;
            write(block.out, r, at, totals + (r * P + p) * ROWS, minimum(ROWS, block.columns - at));
        }
    }
}

/** One row times all panels. */
template <int D>
void stream_all(const Block &block, int64_t panels) {
    const int64_t step = packing::panel_bytes(D, block.k);
    int64_t panel = 0;
    for (; panel + STREAM_PANELS <= panels; panel += STREAM_PANELS) {
        stream<D, STREAM_PANELS>(block, block.panels + panel * step, panel * ROWS);
    }
    for (; panel < panels; panel++) {
        stream<D, 1>(block, block.panels + panel * step, panel * ROWS);
    }
}

template <int D>
void run(const Block &block) {
    const int64_t panels = packing::ceil_div(block.columns, ROWS);
    if (block.rows == 1) {
        stream_all<D>(block, panels);
        return;
    }
    // Weights that are read once come from memory, which delivers faster to streams that lie far apart.
    constexpr int P = tile_panels(D);
    const int64_t whole = panels / P;
    const bool far = block.rows <= FLOAT_TILE;
    for (int64_t i = 0; i < whole; i++) {
        multiply<D, P>(block, far ? i : i * P, far ? whole : 1);
    }
    for (int64_t panel = whole * P; panel < panels; panel++) {
        multiply<D, 1>(block, panel, 1);
    }
}

}  // namespace

BlockFn float_kernel(int64_t weight_dtype) {
    switch (weight_dtype) {
        case WEFT_F32:
            return run<WEFT_F32>;
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

}  // namespace weft::WEFT_ISA::gemm

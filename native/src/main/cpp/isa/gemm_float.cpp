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

// Accumulators of a tile are TILE x TILE_PANELS x V; with the weights they must fit the registers.
#if defined(__AVX512F__)
constexpr int TILE = 8;
constexpr int TILE_PANELS = 2;
#elif defined(__AVX2__)
constexpr int TILE = 6;
constexpr int TILE_PANELS = 1;
#elif defined(__aarch64__)
constexpr int TILE = 5;
constexpr int TILE_PANELS = 1;
#else
constexpr int TILE = 2;
constexpr int TILE_PANELS = 1;
#endif

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
            prefetch_weights(line + p * step);
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

/** Weights of one chunk of P panels as F32: [k][panel][row], and their scales [block][panel][row]. */
template <int P>
struct Decoded {
    alignas(64) float values[CHUNK * P * ROWS];
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
    float *values = to.values + p * ROWS;
    for (int64_t k = 0; k < count; k += per_line, line += LINE) {
        prefetch_weights(line);
        for (int v = 0; v < V; v++) {
            vf w[per_line];
            decode_dwords<D>(line + v * W * 4, w);
#pragma GCC unroll 8
            for (int j = 0; j < per_line; j++) {
                store(values + (k + j) * P * ROWS + v * W, w[j]);
            }
        }
    }
    for (int64_t b = 0; b * unit < count; b++) {
        for (int v = 0; v < V; v++) {
            store(to.scales + (b * P + p) * ROWS + v * W, weight_scale<D>(panel, chunk, chunk_index, b, v));
        }
    }
}

/** Adds one weight block's products with M rows to totals [row][panel][16]. */
template <int M, int P>
WEFT_INLINE void tile(const float *x, int64_t stride, const float *w, int64_t count, const float *sw, const float *sx,
                      float *totals) {
    vf sums[M][P * V];
    clear(sums);
    for (int64_t k = 0; k < count; k++, w += P * ROWS) {
        vf wk[P * V];
#pragma GCC unroll 8
        for (int c = 0; c < P * V; c++) {
            wk[c] = load(w + c * W);
        }
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            vf xk = broadcast(x[m * stride + k]);
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

/** All rows of a block (at most BLOCK_ROWS) times P panels. */
template <int D, int P>
void multiply(const Block &block, const uint8_t *panels, int64_t column) {
    constexpr int64_t unit = packing::block(D);
    const int64_t step = packing::panel_bytes(D, block.k);
    alignas(64) float totals[BLOCK_ROWS * P * ROWS];
    Decoded<P> weights;
    __builtin_memset(totals, 0, (uint64_t)(block.rows * P * ROWS) * 4);
    for (int64_t first = 0; first < block.k; first += CHUNK) {
        for (int p = 0; p < P; p++) {
            decode<D, P>(block, panels + p * step, p, first, weights);
        }
        const int64_t count = minimum(CHUNK, block.k - first);
        for_tiles<TILE>(block.rows, [&](int64_t begin, auto height) {
            constexpr int M = decltype(height)::value;
            float sx[M];
            for (int m = 0; m < M; m++) {
                sx[m] = row_scale(block.x, begin + m, first / CHUNK);
            }
            for (int64_t b = 0; b * unit < count; b++) {
                tile<M, P>(row(block.x, begin) + first + b * unit, block.x.stride,
                           weights.values + b * unit * P * ROWS, minimum(unit, count - b * unit),
                           weights.scales + b * P * ROWS, sx, totals + begin * P * ROWS);
            }
        });
    }
    for (int64_t r = 0; r < block.rows; r++) {
        for (int p = 0; p < P; p++) {
            int64_t at = column + p * ROWS;
            write(block.out, r, at, totals + (r * P + p) * ROWS, minimum(ROWS, block.columns - at));
        }
    }
}

/** Applies `wide` to P panels at a time while that many are left, then `single` to one at a time. */
template <int P>
void for_panels(const Block &block, int64_t step, void (*wide)(const Block &, const uint8_t *, int64_t),
                void (*single)(const Block &, const uint8_t *, int64_t)) {
    const uint8_t *panel = block.panels;
    int64_t column = 0;
    for (; column + (P - 1) * ROWS < block.columns; column += P * ROWS, panel += P * step) {
        wide(block, panel, column);
    }
    for (; column < block.columns; column += ROWS, panel += step) {
        single(block, panel, column);
    }
}

template <int D>
void run(const Block &block) {
    const int64_t step = packing::panel_bytes(D, block.k);
    if (block.rows == 1) {
        for_panels<STREAM_PANELS>(block, step, stream<D, STREAM_PANELS>, stream<D, 1>);
    } else {
        for_panels<TILE_PANELS>(block, step, multiply<D, TILE_PANELS>, multiply<D, 1>);
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

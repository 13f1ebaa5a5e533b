// The arithmetic of hyper-connections, row by row, for the single operators and for those that are one with others.
#ifndef WEFT_HYPER_H
#define WEFT_HYPER_H

#include "isa/op_rows.h"
#include "isa/row_math.h"

namespace weft::WEFT_ISA::hyper {

constexpr int64_t MOST_STREAMS = 8;

/** Columns [begin, end) of every stream. */
struct Range {
    int64_t begin;
    int64_t end;
};

// ---- entry: streams are projected onto coefficients, and mixed ----

/** Operands of HyperPre; HyperHead has the first five. */
enum Operand { X, FN, SCALE, BASE, Y, POST, COMB };

/** Rows and coefficients whose sums run together; each pair has its own accumulator. */
constexpr int ROW_TILE = W == 16 ? 4 : 2;
constexpr int MIX_TILE = 6;
/** Columns whose sums belong together. Their coefficients' weights stay in the second-level cache while rows pass. */
constexpr int64_t COLUMN_BLOCK = 1024;

struct Problem {
    const weft_operand *in;
    bool head;
    int64_t streams;
    int64_t iterations;
    float norm_eps;
    float eps;
    int64_t rows;
    int64_t width;  // of one stream
    int64_t mixes;  // coefficients per row
    int64_t parts;  // blocks of columns

    Range columns(int64_t part) const {
        return {part * COLUMN_BLOCK, least((part + 1) * COLUMN_BLOCK, width)};
    }

    int64_t partial_bytes() const { return padded(rows * parts * mixes * 4, CACHE_LINE); }
};

WEFT_INLINE Problem problem(bool head, const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.head = head;
    p.streams = attributes[0];
    p.iterations = head ? 0 : attributes[1];
    p.norm_eps = real_attribute(attributes[head ? 1 : 2]);
    p.eps = real_attribute(attributes[head ? 2 : 3]);
    p.rows = in[X].dims[0];
    p.width = in[X].dims[2];
    p.parts = ceil_div(p.width, COLUMN_BLOCK);
    p.mixes = head ? p.streams : (2 + p.streams) * p.streams;
    return p;
}

/** Products of `rows` rows with MIX_TILE coefficient vectors over some columns; vectors behind the last repeat it. */
template <int rows, class T>
WEFT_INLINE void project_tile(const Problem &p, int64_t row, int64_t mix, Range columns, float *to) {
    vf sums[rows][MIX_TILE] = {};
    for (int64_t j = 0; j < p.streams; j++) {
        const T *x[rows];
        const float *fn[MIX_TILE];
        for (int i = 0; i < rows; i++) {
            x[i] = row_of<const T>(p.in[X], row + i, j) + columns.begin;
        }
        for (int m = 0; m < MIX_TILE; m++) {
            fn[m] = row_of<const float>(p.in[FN], least(mix + m, p.mixes - 1)) + j * p.width + columns.begin;
        }
        each_vector(columns.end - columns.begin, [&](int64_t c, int64_t n) __attribute__((always_inline)) {
            vf u[rows];
            for (int i = 0; i < rows; i++) {
                u[i] = load_upto(x[i] + c, n);
            }
            for (int m = 0; m < MIX_TILE; m++) {
                const vf f = load_upto(fn[m] + c, n);
                for (int i = 0; i < rows; i++) {
                    sums[i][m] = fma(u[i], f, sums[i][m]);
                }
            }
        });
    }
    for (int i = 0; i < rows; i++) {
        for (int64_t m = 0; m < least(MIX_TILE, p.mixes - mix); m++) {
            to[(row + i) * p.parts * p.mixes + mix + m] = hsum(sums[i][m]);
        }
    }
}

/** Sums of one part for rows [row, end) and the coefficients from `mix` on, into partial sums [rows][parts][mixes]. */
template <class T>
void project(const Problem &p, int64_t row, int64_t end, int64_t part, int64_t mix, float *partial) {
    float *to = partial + part * p.mixes;
    for (; row + ROW_TILE <= end; row += ROW_TILE) {
        project_tile<ROW_TILE, T>(p, row, mix, p.columns(part), to);
    }
    for (; row < end; row++) {
        project_tile<1, T>(p, row, mix, p.columns(part), to);
    }
}

// ---- coefficients: one row per lane ----

WEFT_INLINE vf sigmoid(vf x) {
    return 1.0f / (1.0f + exp(-x));
}

/** Divides `count` lines of `count` values by (their sum + eps); `next` separates lines, `step` values of a line. */
WEFT_INLINE void divide_by_sums(vf *matrix, int64_t count, int64_t next, int64_t step, float eps) {
    for (int64_t j = 0; j < count; j++) {
        vf sum = {};
        for (int64_t k = 0; k < count; k++) {
            sum += matrix[j * next + k * step];
        }
        const vf inverse = 1.0f / (sum + eps);
        for (int64_t k = 0; k < count; k++) {
            matrix[j * next + k * step] *= inverse;
        }
    }
}

/** Makes H x H matrices of logits nearly doubly stochastic. The softmax counts as the first pass over rows. */
WEFT_INLINE void sinkhorn(vf *a, int64_t streams, int64_t iterations, float eps) {
    for (int64_t j = 0; j < streams; j++) {
        vf *row = a + j * streams;
        vf most = row[0];
        for (int64_t k = 1; k < streams; k++) {
            most = max(row[k], most);
        }
        vf sum = {};
        for (int64_t k = 0; k < streams; k++) {
            row[k] = exp(row[k] - most);
            sum += row[k];
        }
        for (int64_t k = 0; k < streams; k++) {
            row[k] = row[k] / sum + eps;
        }
    }
    divide_by_sums(a, streams, 1, streams, eps);
    for (int64_t i = 1; i < iterations; i++) {
        divide_by_sums(a, streams, streams, 1, eps);
        divide_by_sums(a, streams, 1, streams, eps);
    }
}

/** A lane of each of n vectors, in order. */
WEFT_INLINE void store_lane(const vf *from, int64_t n, int lane, float *to) {
    for (int64_t i = 0; i < n; i++) {
        to[i] = from[i][lane];
    }
}

template <int64_t FIXED, class T>
void enter_row(const Problem &p, const T *x, const float *pre, T *y) {
    const int64_t streams = FIXED != 0 ? FIXED : p.streams;
    each_vector(p.width, [&](int64_t c, int64_t n) __attribute__((always_inline)) {
        vf sum = {};
        for (int64_t j = 0; j < streams; j++) {
            sum = fma(broadcast(pre[j]), load_upto(x + j * p.width + c, n), sum);
        }
        store_upto(y + c, sum, n);
    });
}

/**
 * The coefficients of `rows` rows, at most W, from their partial sums. Lanes behind the last row hold zeros. Calls
 * enter(row, coefficients of the streams) for each.
 */
template <class T, class F>
void finish_rows(const Problem &p, int64_t row, int64_t rows, const float *partial, const F &enter) {
    auto *scale = static_cast<const float *>(p.in[SCALE].data);
    auto *base = static_cast<const float *>(p.in[BASE].data);
    const int64_t streams = p.streams;
    vf mixes[MOST_STREAMS * (MOST_STREAMS + 2)] = {};
    for (int64_t i = 0; i < rows; i++) {
        const float factor = inverse_rms(row_of<const T>(p.in[X], row + i), p.streams * p.width, p.norm_eps);
        const float *sums = partial + (row + i) * p.parts * p.mixes;
        for (int64_t m = 0; m < p.mixes; m++) {
            float sum = 0;
            for (int64_t part = 0; part < p.parts; part++) {
                sum += sums[part * p.mixes + m];
            }
            mixes[m][i] = sum * factor;
        }
    }
    for (int64_t m = 0; m < p.mixes; m++) {
        mixes[m] = mixes[m] * scale[m < 2 * streams ? m / streams : 2] + base[m];
    }
    for (int64_t j = 0; j < streams; j++) {
        mixes[j] = sigmoid(mixes[j]) + p.eps;
    }
    if (!p.head) {
        for (int64_t j = streams; j < 2 * streams; j++) {
            mixes[j] = 2 * sigmoid(mixes[j]);
        }
        streams == 4 ? sinkhorn(mixes + 8, 4, p.iterations, p.eps)
                     : sinkhorn(mixes + 2 * streams, streams, p.iterations, p.eps);
    }
    for (int64_t i = 0; i < rows; i++) {
        float pre[MOST_STREAMS];
        store_lane(mixes, streams, i, pre);
        if (!p.head) {
            store_lane(mixes + streams, streams, i, row_of<float>(p.in[POST], row + i));
            store_lane(mixes + 2 * streams, streams * streams, i, row_of<float>(p.in[COMB], row + i));
        }
        enter(row + i, pre);
    }
}

/** y = sum of the streams of a row weighted by pre. */
template <class T>
void enter_row(const Problem &p, int64_t row, const float *pre, T *y) {
    auto *x = row_of<const T>(p.in[X], row);
    p.streams == 4 ? enter_row<4>(p, x, pre, y) : enter_row<0>(p, x, pre, y);
}

// ---- exit ----

/** Operands of HyperPost. */
enum ExitOperand { EXIT_Y, EXIT_X, EXIT_POST, EXIT_COMB, EXIT_OUT };

/** All streams of a vector of lanes at once: they are read before one is written. */
template <int64_t FIXED, class T>
void exit_row(const weft_operand *in, int64_t i, Range columns) {
    const int64_t streams = FIXED != 0 ? FIXED : in[EXIT_X].dims[1];
    const int64_t width = in[EXIT_X].dims[2];
    auto *y = row_of<const T>(in[EXIT_Y], i);
    auto *x = row_of<const T>(in[EXIT_X], i);
    auto *weights = row_of<const float>(in[EXIT_POST], i);
    auto *comb = row_of<const float>(in[EXIT_COMB], i);
    T *out = row_of<T>(in[EXIT_OUT], i);
    each_vector(columns.end - columns.begin, [&](int64_t at, int64_t n) __attribute__((always_inline)) {
        const int64_t c = columns.begin + at;
        const vf entering = load_upto(y + c, n);
        vf residual[FIXED != 0 ? FIXED : MOST_STREAMS];
        for (int64_t j = 0; j < streams; j++) {
            residual[j] = load_upto(x + j * width + c, n);
        }
        for (int64_t k = 0; k < streams; k++) {
            vf sum = entering * weights[k];
            for (int64_t j = 0; j < streams; j++) {
                sum = fma(broadcast(comb[j * streams + k]), residual[j], sum);
            }
            store_upto(out + k * width + c, sum, n);
        }
    });
}

/** Some columns of row i of all streams. */
template <class T>
void exit_row(const weft_operand *in, int64_t i, Range columns) {
    in[EXIT_X].dims[1] == 4 ? exit_row<4, T>(in, i, columns) : exit_row<0, T>(in, i, columns);
}

}  // namespace weft::WEFT_ISA::hyper

#endif

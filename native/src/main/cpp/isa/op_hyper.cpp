// HyperPre, HyperPost and HyperHead. The projection onto the mixing coefficients runs first, cut by rows, columns and
// coefficients so that a single row occupies several threads; what follows is cheap and runs on as many rows as a vector
// has lanes.
#include "isa/op_rows.h"
#include "isa/row_math.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t MOST_STREAMS = 8;
/** Rows and coefficients whose sums run together; each pair has its own accumulator. */
constexpr int ROW_TILE = W == 16 ? 4 : 2;
constexpr int MIX_TILE = 6;
/** An item of the projection: its coefficients' weights stay in the second-level cache while the rows pass. */
constexpr int64_t COLUMN_BLOCK = 4096;
constexpr int64_t ROW_BLOCK = 32;

namespace mixing {

enum Operand { X, FN, SCALE, BASE, Y, POST, COMB };

struct Problem {
    const weft_operand *in;
    bool head;
    int64_t streams;
    int64_t iterations;
    float norm_eps;
    float eps;
    int64_t rows;
    int64_t width;    // of one stream
    int64_t length;   // of all streams of a row
    int64_t mixes;    // coefficients per row
    int64_t parts;    // column blocks
};

Problem problem(bool head, const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.head = head;
    p.streams = attributes[0];
    p.iterations = head ? 0 : attributes[1];
    p.norm_eps = real_attribute(attributes[head ? 1 : 2]);
    p.eps = real_attribute(attributes[head ? 2 : 3]);
    p.rows = in[X].dims[0];
    p.width = in[X].dims[2];
    p.length = p.streams * p.width;
    p.parts = ceil_div(p.length, COLUMN_BLOCK);
    p.mixes = head ? p.streams : (2 + p.streams) * p.streams;
    return p;
}

/** Columns [begin, end). */
struct Range {
    int64_t begin;
    int64_t end;
};

/** Products of `rows` rows with MIX_TILE coefficient vectors over some columns; vectors behind the last repeat it. */
template <int rows, class T>
WEFT_INLINE void project_tile(const Problem &p, int64_t row, int64_t mix, Range columns, float *to) {
    const T *x[rows];
    const float *fn[MIX_TILE];
    for (int i = 0; i < rows; i++) {
        x[i] = row_of<const T>(p.in[X], row + i) + columns.begin;
    }
    for (int m = 0; m < MIX_TILE; m++) {
        fn[m] = row_of<const float>(p.in[FN], least(mix + m, p.mixes - 1)) + columns.begin;
    }
    vf sums[rows][MIX_TILE] = {};
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
    for (int i = 0; i < rows; i++) {
        for (int64_t m = 0; m < least(MIX_TILE, p.mixes - mix); m++) {
            to[(row + i) * p.parts * p.mixes + mix + m] = hsum(sums[i][m]);
        }
    }
}

/** Partial sums [rows][parts][mixes]. */
template <class T>
void project(const Problem &p, float *to, Pool &pool) {
    const int64_t tiles = ceil_div(p.mixes, MIX_TILE);
    pool.parallel_for(ceil_div(p.rows, ROW_BLOCK) * p.parts * tiles, [&](int64_t item, int32_t) {
        const int64_t mix = item % tiles * MIX_TILE;
        const int64_t part = item / tiles % p.parts;
        const Range columns = {part * COLUMN_BLOCK, least((part + 1) * COLUMN_BLOCK, p.length)};
        int64_t row = item / tiles / p.parts * ROW_BLOCK;
        const int64_t last = least(row + ROW_BLOCK, p.rows);
        for (; row + ROW_TILE <= last; row += ROW_TILE) {
            project_tile<ROW_TILE, T>(p, row, mix, columns, to + part * p.mixes);
        }
        for (; row < last; row++) {
            project_tile<1, T>(p, row, mix, columns, to + part * p.mixes);
        }
    });
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

/** y = sum of the streams weighted by pre. */
template <int64_t FIXED, class T>
void reduce(const Problem &p, const T *x, const float *pre, T *y) {
    const int64_t streams = FIXED != 0 ? FIXED : p.streams;
    each_vector(p.width, [&](int64_t c, int64_t n) __attribute__((always_inline)) {
        vf sum = {};
        for (int64_t j = 0; j < streams; j++) {
            sum = fma(broadcast(pre[j]), load_upto(x + j * p.width + c, n), sum);
        }
        store_upto(y + c, sum, n);
    });
}

/** The results of `rows` rows, at most W, from their partial sums. Lanes behind the last row hold zeros. */
template <class T>
void finish_rows(const Problem &p, int64_t row, int64_t rows, const float *partial) {
    auto *scale = static_cast<const float *>(p.in[SCALE].data);
    auto *base = static_cast<const float *>(p.in[BASE].data);
    const int64_t streams = p.streams;
    vf mixes[MOST_STREAMS * (MOST_STREAMS + 2)] = {};
    for (int64_t i = 0; i < rows; i++) {
        const float factor = inverse_rms(row_of<const T>(p.in[X], row + i), p.length, p.norm_eps);
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
        auto *x = row_of<const T>(p.in[X], row + i);
        T *y = row_of<T>(p.in[Y], row + i);
        streams == 4 ? reduce<4>(p, x, pre, y) : reduce<0>(p, x, pre, y);
    }
}

template <class T>
void run_typed(const Problem &p, float *partial, Pool &pool) {
    project<T>(p, partial, pool);
    pool.parallel_ranges(p.rows, W, [&](int64_t begin, int64_t end, int32_t) {
        finish_rows<T>(p, begin, end - begin, partial);
    });
}

template <bool HEAD>
void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(HEAD, command.attributes, command.operands);
    auto *partial = static_cast<float *>(command.workspace);
    if (p.in[X].dtype == WEFT_BF16) {
        run_typed<bf16>(p, partial, pool);
    } else {
        run_typed<float>(p, partial, pool);
    }
}

const char *unsupported(const int64_t *attributes, const weft_operand *operands, int64_t) {
    if (!flows(operands[X])) {
        return "streams must be F32 or BF16";
    }
    if (operands[X].dims[0] < 0) {
        return "a bound on rows must be known";
    }
    return attributes[0] > MOST_STREAMS ? "more than 8 residual streams" : nullptr;
}

template <bool HEAD>
int64_t workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t) {
    const Problem p = problem(HEAD, attributes, operands);
    return padded(p.rows * p.parts * p.mixes * 4, CACHE_LINE);
}

}  // namespace mixing

namespace post {

enum Operand { Y, X, POST, COMB, OUT };

/** All streams of a vector of lanes at once: they are read before one is written. */
template <int64_t FIXED, class T>
void row(const weft_operand *in, int64_t i) {
    const int64_t streams = FIXED != 0 ? FIXED : in[X].dims[1];
    const int64_t width = in[X].dims[2];
    auto *y = row_of<const T>(in[Y], i);
    auto *x = row_of<const T>(in[X], i);
    auto *weights = row_of<const float>(in[POST], i);
    auto *comb = row_of<const float>(in[COMB], i);
    T *out = row_of<T>(in[OUT], i);
    each_vector(width, [&](int64_t c, int64_t n) __attribute__((always_inline)) {
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

template <class T>
void run_typed(const weft_operand *in, Pool &pool) {
    const bool four = in[X].dims[1] == 4;
    const int64_t length = in[X].dims[1] * in[X].dims[2];
    pool.parallel_ranges(in[X].dims[0], row_grain(2 * length), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            four ? row<4, T>(in, i) : row<0, T>(in, i);
        }
    });
}

void run(const weft_command &command, Pool &pool) {
    if (command.operands[X].dtype == WEFT_BF16) {
        run_typed<bf16>(command.operands, pool);
    } else {
        run_typed<float>(command.operands, pool);
    }
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t) {
    if (!flows(operands[X])) {
        return "streams must be F32 or BF16";
    }
    const int64_t streams = operands[X].dims[1];
    return streams < 0 || streams > MOST_STREAMS ? "the number of residual streams is unknown or above 8" : nullptr;
}

}  // namespace post

}  // namespace

void register_hyper(KernelEntry *table) {
    table[WEFT_HYPER_PRE] = {mixing::run<false>, "hyper_pre", mixing::unsupported, mixing::workspace<false>, nullptr};
    table[WEFT_HYPER_POST] = {post::run, "hyper_post", post::unsupported, nullptr, nullptr};
    table[WEFT_HYPER_HEAD] = {mixing::run<true>, "hyper_head", mixing::unsupported, mixing::workspace<true>, nullptr};
}

}  // namespace weft::WEFT_ISA

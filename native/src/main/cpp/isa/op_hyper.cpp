// HyperPre, HyperPost and HyperHead. The projection onto the mixing coefficients runs first, cut by rows and by
// coefficients so that a single row occupies several threads; what follows is cheap and runs row by row.
#include "isa/op_rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t MOST_STREAMS = 8;
/** Rows and coefficients whose sums run together; each pair has its own accumulator. */
constexpr int ROW_TILE = 2;
constexpr int MIX_TILE = 4;
/** Rows per item of the projection. */
constexpr int64_t ROW_BLOCK = 8;
/** Elements per item of the row-wise parts. */
constexpr int64_t GRAIN = 32768;

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
    p.mixes = head ? p.streams : (2 + p.streams) * p.streams;
    return p;
}

/** Products of ROW_TILE rows with MIX_TILE coefficient vectors; rows and vectors behind the last repeat it. */
template <class T>
void project_tile(const Problem &p, int64_t row, int64_t mix, float *to) {
    const T *x[ROW_TILE];
    const float *fn[MIX_TILE];
    for (int i = 0; i < ROW_TILE; i++) {
        x[i] = row_of<const T>(p.in[X], least(row + i, p.rows - 1));
    }
    for (int m = 0; m < MIX_TILE; m++) {
        fn[m] = row_of<const float>(p.in[FN], least(mix + m, p.mixes - 1));
    }
    vf sums[ROW_TILE][MIX_TILE] = {};
    const auto step = [&](const vf *u, const vf *f) __attribute__((always_inline)) {
        for (int i = 0; i < ROW_TILE; i++) {
            for (int m = 0; m < MIX_TILE; m++) {
                sums[i][m] = fma(u[i], f[m], sums[i][m]);
            }
        }
    };
    int64_t c = 0;
    vf u[ROW_TILE];
    vf f[MIX_TILE];
    for (; c + W <= p.length; c += W) {
        for (int i = 0; i < ROW_TILE; i++) {
            u[i] = load(x[i] + c);
        }
        for (int m = 0; m < MIX_TILE; m++) {
            f[m] = load(fn[m] + c);
        }
        step(u, f);
    }
    if (c < p.length) {
        for (int i = 0; i < ROW_TILE; i++) {
            u[i] = load_tail(x[i] + c, p.length - c);
        }
        for (int m = 0; m < MIX_TILE; m++) {
            f[m] = load_tail(fn[m] + c, p.length - c);
        }
        step(u, f);
    }
    for (int64_t i = 0; i < least(ROW_TILE, p.rows - row); i++) {
        for (int64_t m = 0; m < least(MIX_TILE, p.mixes - mix); m++) {
            to[(row + i) * p.mixes + mix + m] = hsum(sums[i][m]);
        }
    }
}

template <class T>
void project(const Problem &p, float *to, Pool &pool) {
    const int64_t tiles = ceil_div(p.mixes, MIX_TILE);
    pool.parallel_for(ceil_div(p.rows, ROW_BLOCK) * tiles, [&](int64_t item, int32_t) {
        const int64_t first = item / tiles * ROW_BLOCK;
        for (int64_t row = first; row < least(first + ROW_BLOCK, p.rows); row += ROW_TILE) {
            project_tile<T>(p, row, item % tiles * MIX_TILE, to);
        }
    });
}

template <class T>
float inverse_rms(const Problem &p, const T *x) {
    vf squares = {};
    for (int64_t c = 0; c < p.length; c += W) {
        const vf v = load_upto(x + c, p.length - c);
        squares = fma(v, v, squares);
    }
    return 1.0f / __builtin_sqrtf(hsum(squares) / (float)p.length + p.norm_eps);
}

float sigmoid(float x) {
    return 1.0f / (1.0f + exp(-x));
}

/** Divides `count` rows of `length` values by (their sum + eps); `next` separates rows, `step` values of a row. */
void divide_by_sums(float *matrix, int64_t count, int64_t next, int64_t step, float eps) {
    for (int64_t j = 0; j < count; j++) {
        float sum = 0;
        for (int64_t k = 0; k < count; k++) {
            sum += matrix[j * next + k * step];
        }
        for (int64_t k = 0; k < count; k++) {
            matrix[j * next + k * step] /= sum + eps;
        }
    }
}

/** Makes an H x H matrix of logits nearly doubly stochastic. The softmax counts as the first pass over rows. */
void sinkhorn(float *a, int64_t streams, int64_t iterations, float eps) {
    for (int64_t j = 0; j < streams; j++) {
        float *row = a + j * streams;
        float most = row[0];
        for (int64_t k = 1; k < streams; k++) {
            most = row[k] > most ? row[k] : most;
        }
        float sum = 0;
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

/** y = sum of the streams weighted by pre. */
template <class T>
void reduce(const Problem &p, const T *x, const float *pre, T *y) {
    for (int64_t c = 0; c < p.width; c += W) {
        const int64_t n = p.width - c;
        vf sum = {};
        for (int64_t j = 0; j < p.streams; j++) {
            sum = fma(broadcast(pre[j]), load_upto(x + j * p.width + c, n), sum);
        }
        store_upto(y + c, sum, n);
    }
}

template <class T>
void finish_row(const Problem &p, int64_t row, const float *mixes) {
    auto *scale = static_cast<const float *>(p.in[SCALE].data);
    auto *base = static_cast<const float *>(p.in[BASE].data);
    auto *x = row_of<const T>(p.in[X], row);
    const int64_t streams = p.streams;
    const float factor = inverse_rms(p, x);
    float pre[MOST_STREAMS];
    for (int64_t j = 0; j < streams; j++) {
        pre[j] = sigmoid(mixes[j] * factor * scale[0] + base[j]) + p.eps;
    }
    if (!p.head) {
        float *post = row_of<float>(p.in[POST], row);
        float *comb = row_of<float>(p.in[COMB], row);
        for (int64_t i = streams; i < 2 * streams; i++) {
            post[i - streams] = 2 * sigmoid(mixes[i] * factor * scale[1] + base[i]);
        }
        for (int64_t i = 2 * streams; i < p.mixes; i++) {
            comb[i - 2 * streams] = mixes[i] * factor * scale[2] + base[i];
        }
        sinkhorn(comb, streams, p.iterations, p.eps);
    }
    reduce(p, x, pre, row_of<T>(p.in[Y], row));
}

template <class T>
void run_typed(const Problem &p, float *mixes, Pool &pool) {
    project<T>(p, mixes, pool);
    pool.parallel_ranges(p.rows, 1 + GRAIN / (p.length + 1), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t row = begin; row < end; row++) {
            finish_row<T>(p, row, mixes + row * p.mixes);
        }
    });
}

template <bool HEAD>
void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(HEAD, command.attributes, command.operands);
    auto *mixes = static_cast<float *>(command.workspace);
    if (p.in[X].dtype == WEFT_BF16) {
        run_typed<uint16_t>(p, mixes, pool);
    } else {
        run_typed<float>(p, mixes, pool);
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
    return padded(p.rows * p.mixes * 4, CACHE_LINE);
}

}  // namespace mixing

namespace post {

enum Operand { Y, X, POST, COMB, OUT };

/** All streams of a vector of lanes at once: they are read before one is written. */
template <class T>
void row(const weft_operand *in, int64_t i) {
    const int64_t streams = in[X].dims[1];
    const int64_t width = in[X].dims[2];
    auto *y = row_of<const T>(in[Y], i);
    auto *x = row_of<const T>(in[X], i);
    auto *weights = row_of<const float>(in[POST], i);
    auto *comb = row_of<const float>(in[COMB], i);
    T *out = row_of<T>(in[OUT], i);
    for (int64_t c = 0; c < width; c += W) {
        const int64_t n = width - c;
        const vf entering = load_upto(y + c, n);
        vf residual[MOST_STREAMS];
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
    }
}

void run(const weft_command &command, Pool &pool) {
    const weft_operand *in = command.operands;
    const bool narrow = in[X].dtype == WEFT_BF16;
    const int64_t length = in[X].dims[1] * in[X].dims[2];
    pool.parallel_ranges(in[X].dims[0], 1 + GRAIN / (length + 1), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            if (narrow) {
                row<uint16_t>(in, i);
            } else {
                row<float>(in, i);
            }
        }
    });
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

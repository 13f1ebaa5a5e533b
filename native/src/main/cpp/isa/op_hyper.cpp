// HyperPre, HyperPost and HyperHead. The projection onto the mixing coefficients runs first, cut by rows, columns and
// coefficients so that a single row occupies several threads; what follows is cheap and runs on as many rows as a
// vector has lanes.
#include "isa/hyper.h"

namespace weft::WEFT_ISA {

namespace {

using namespace hyper;

/** Rows that one thread projects one after another. */
constexpr int64_t ROW_BLOCK = 32;

namespace mixing {

template <class T>
void run_typed(const Problem &p, float *partial, Pool &pool) {
    const int64_t tiles = ceil_div(p.mixes, MIX_TILE);
    pool.parallel_for(ceil_div(p.rows, ROW_BLOCK) * p.parts * tiles, [&](int64_t item, int32_t) {
        const int64_t row = item / tiles / p.parts * ROW_BLOCK;
        project<T>(p, row, least(row + ROW_BLOCK, p.rows), item / tiles % p.parts, item % tiles * MIX_TILE, partial);
    });
    pool.parallel_ranges(p.rows, W, [&](int64_t begin, int64_t end, int32_t) {
        finish_rows<T>(p, begin, end - begin, partial, [&](int64_t row, const float *pre) {
            enter_row<T>(p, row, pre, row_of<T>(p.in[Y], row));
        });
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
    return problem(HEAD, attributes, operands).partial_bytes();
}

}  // namespace mixing

namespace post {

template <class T>
void run_typed(const weft_operand *in, Pool &pool) {
    const int64_t streams = in[EXIT_X].dims[1];
    const int64_t width = in[EXIT_X].dims[2];
    pool.parallel_ranges(in[EXIT_X].dims[0], row_grain(2 * streams * width), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            exit_row<T>(in, i, {0, width});
        }
    });
}

void run(const weft_command &command, Pool &pool) {
    if (command.operands[EXIT_X].dtype == WEFT_BF16) {
        run_typed<bf16>(command.operands, pool);
    } else {
        run_typed<float>(command.operands, pool);
    }
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t) {
    if (!flows(operands[EXIT_X])) {
        return "streams must be F32 or BF16";
    }
    const int64_t streams = operands[EXIT_X].dims[1];
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

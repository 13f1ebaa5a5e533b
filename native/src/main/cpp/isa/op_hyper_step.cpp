// From one sublayer into the next: exit of its hyper-connection, entry of the next one's, norm, and quantiser.
//
// Every value is computed as by the single operators, so it has their bits.
#include "isa/hyper.h"

namespace weft::WEFT_ISA {

namespace {

using namespace hyper;

constexpr int64_t QUANTIZER_BLOCK = 128;
/** Rows that use coefficients' weights one after another, while these lie in a cache. */
constexpr int64_t ROW_BLOCK = 16;
static_assert(ROW_BLOCK % W == 0, "a block is finished in whole vectors of rows");
/** Blocks per thread from which a block goes from the exit to its codes in one go. */
constexpr int64_t BLOCKS_PER_THREAD = 4;

/** A call; operands as weft.h lists them. */
struct Step {
    const weft_operand *exit;  // null if there is none
    Problem entry;
    const weft_operand *norm_weight;
    const weft_operand *normed;
    float norm_eps;
    const weft_operand *codes;  // null if there are none
};

Step step(const int64_t *attributes, const weft_operand *operands) {
    constexpr int64_t EXIT_OPERANDS = 4;
    const bool leaves = attributes[5] != 0;
    Step s = {};
    s.exit = leaves ? operands : nullptr;
    s.entry = problem(false, attributes, operands + (leaves ? EXIT_OPERANDS : 0));
    s.norm_weight = s.entry.in + COMB + 1;
    s.normed = s.norm_weight + 1;
    s.norm_eps = real_attribute(attributes[4]);
    s.codes = attributes[6] != 0 ? s.normed + 1 : nullptr;
    return s;
}

/** A thread's rows: a sublayer's input before and after the norm. */
int64_t row_bytes(const Step &s) {
    return padded(s.entry.width * 4, CACHE_LINE);
}

/** Some columns of rows [row, end) of the streams behind the exit. */
template <class T>
void leave(const Step &s, int64_t row, int64_t end, int64_t part) {
    for (int64_t i = row; s.exit != nullptr && i < end; i++) {
        exit_row<T>(s.exit, i, s.entry.columns(part));
    }
}

/** What follows the projection of rows [row, end). */
template <class T>
void finish(const Step &s, int64_t row, int64_t end, const float *partial, uint8_t *scratch) {
    const int64_t width = s.entry.width;
    T *entered = reinterpret_cast<T *>(scratch);
    const auto enter = [&](int64_t i, const float *pre) {
        enter_row<T>(s.entry, i, pre, entered);
        T *normed = s.normed->data == nullptr ? entered : row_of<T>(*s.normed, i);
        rms_norm_row(entered, *s.norm_weight, normed, width, s.norm_eps);
        if (s.codes != nullptr) {
            auto *scales = static_cast<uint8_t *>(s.codes->scale) + i * (width / QUANTIZER_BLOCK);
            quantize_row<true>(normed, row_of<uint8_t>(*s.codes, i), scales, width, QUANTIZER_BLOCK);
        }
    };
    for (; row < end; row += W) {
        finish_rows<T>(s.entry, row, least(W, end - row), partial, enter);
    }
}

template <class T>
void run_typed(const Step &s, float *partial, uint8_t *scratch, Pool &pool) {
    const Problem &p = s.entry;
    const int64_t own = row_bytes(s);
    const int64_t blocks = ceil_div(p.rows, ROW_BLOCK);
    const int64_t tiles = ceil_div(p.mixes, MIX_TILE);
    const auto last = [&](int64_t row) { return least(row + ROW_BLOCK, p.rows); };
    const auto project_part = [&](int64_t row, int64_t part) {
        leave<T>(s, row, last(row), part);
        for (int64_t t = 0; t < tiles; t++) {
            project<T>(p, row, last(row), part, t * MIX_TILE, partial);
        }
    };
    if (blocks >= BLOCKS_PER_THREAD * pool.threads()) {
        pool.parallel_ranges(p.rows, ROW_BLOCK, [&](int64_t begin, int64_t end, int32_t thread) {
            for (int64_t part = 0; part < p.parts; part++) {
                project_part(begin, part);
            }
            finish<T>(s, begin, end, partial, scratch + thread * own);
        });
        return;
    }
    const int64_t items = blocks * p.parts;
    if (items >= pool.threads()) {
        pool.parallel_for(items, [&](int64_t item, int32_t) {
            project_part(item / p.parts * ROW_BLOCK, item % p.parts);
        });
    } else {
        // more threads than parts share the coefficients, which are most of what is read
        pool.parallel_for(items, [&](int64_t item, int32_t) {
            const int64_t row = item / p.parts * ROW_BLOCK;
            leave<T>(s, row, last(row), item % p.parts);
        });
        pool.parallel_for(items * tiles, [&](int64_t item, int32_t) {
            const int64_t row = item / tiles / p.parts * ROW_BLOCK;
            project<T>(p, row, last(row), item / tiles % p.parts, item % tiles * MIX_TILE, partial);
        });
    }
    pool.parallel_ranges(p.rows, W, [&](int64_t begin, int64_t end, int32_t thread) {
        finish<T>(s, begin, end, partial, scratch + thread * own);
    });
}

void run(const weft_command &command, Pool &pool) {
    const Step s = step(command.attributes, command.operands);
    auto *partial = static_cast<float *>(command.workspace);
    uint8_t *scratch = static_cast<uint8_t *>(command.workspace) + s.entry.partial_bytes();
    if (s.entry.in[X].dtype == WEFT_BF16) {
        run_typed<bf16>(s, partial, scratch, pool);
    } else {
        run_typed<float>(s, partial, scratch, pool);
    }
}

const char *unsupported(const int64_t *attributes, const weft_operand *operands, int64_t) {
    const Step s = step(attributes, operands);
    if (!flows(s.entry.in[X]) || attributes[0] > MOST_STREAMS || s.entry.rows < 0 || s.entry.width < 0) {
        return "streams must be F32 or BF16, at most 8, with known extents";
    }
    if (s.codes != nullptr && (s.codes->dtype != WEFT_F8_E4M3 || s.codes->scaling != ((int64_t)1 << 32 | QUANTIZER_BLOCK) ||
                               s.entry.width % QUANTIZER_BLOCK != 0)) {
        return "the sublayer's input must become F8_E4M3 with scales per 1x128";
    }
    return nullptr;
}

int64_t workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    const Step s = step(attributes, operands);
    return s.entry.partial_bytes() + threads * row_bytes(s);
}

}  // namespace

void register_hyper_step(KernelEntry *table) {
    table[WEFT_HYPER_STEP] = {run, "hyper_step", unsupported, workspace, nullptr};
}

}  // namespace weft::WEFT_ISA

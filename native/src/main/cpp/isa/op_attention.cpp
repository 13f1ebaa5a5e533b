// SparseAttention: an item is one row and some of its heads, and walks the row's key list in blocks of 64 keys with a
// running maximum. Blocks are counted along the list and not along memory, so a row's bits depend neither on where keys
// lie nor on how the prompt was cut into steps.
//
// All heads share the keys, so a block is two matrix products: scores [keys, width] x [width, heads], and values
// [heads, keys] x [keys, width]. BF16 flows multiply pairs where the level has such an instruction.
#include "isa/attention_tiles.h"

namespace weft::WEFT_ISA {

namespace attention {

namespace {

/** Heads of an item: their queries and numerators take part of the second-level cache. */
constexpr int64_t MOST_HEADS = 64;
/** Items per thread that let fast threads take over work of slow ones. */
constexpr int64_t ITEMS_PER_THREAD = 3;
/** Rows of widened keys are not a multiple of a large power of two apart, or they would share cache sets. */
constexpr int64_t ROW_GAP = 32;

/** Scratch memory of a thread for items of up to `heads` heads. */
struct Scratch {
    uint32_t *query;          // [heads / W][words of the width][W]
    float *numerators;        // [width / STRIP][heads][STRIP]
    uint32_t *probabilities;  // [words of the keys][heads]
    uint32_t *values;         // [2][words of the keys][STRIP]
    float *scores;            // [BLOCK_KEYS][SCORE_STRIDE]
    Softmax softmax;          // [heads] each
    float *keys;              // [BLOCK_KEYS][width + ROW_GAP], for keys that are not read where they lie
};

/** Lays the arrays out from `base`; the address behind them. */
uint32_t *lay_out(const Problem &p, uint32_t *base, Scratch &s) {
    const int64_t heads = padded(least(p.heads, MOST_HEADS), W);
    const int64_t width = padded(p.width, STRIP);
    auto take = [&](int64_t words) {
        uint32_t *at = base;
        base += padded(words, CACHE_LINE / 4);
        return at;
    };
    auto floats = [&](int64_t count) { return reinterpret_cast<float *>(take(count)); };
    s.query = take(heads * width);
    s.numerators = floats(heads * width);
    s.probabilities = take(BLOCK_KEYS * heads);
    s.values = take(2 * BLOCK_KEYS * STRIP);
    s.scores = floats(BLOCK_KEYS * SCORE_STRIDE);
    s.softmax = {floats(heads), floats(heads), floats(heads)};
    s.keys = floats(BLOCK_KEYS * (width + ROW_GAP));
    return base;
}

int64_t scratch_words(const Problem &p) {
    Scratch s;
    return lay_out(p, nullptr, s) - static_cast<uint32_t *>(nullptr);
}

/** Queries as panels of W heads, words along the width: lanes are heads. */
template <class U>
void pack_query(const Problem &p, int64_t row, int64_t first_head, int64_t heads, uint32_t *to) {
    using T = typename U::Element;
    const int64_t words = padded(p.width, STRIP) / U::PER_WORD;
    for (int64_t h = 0; h < heads; h += W) {
        for (int64_t i = 0; i < words; i += W, to += W * W) {
            vu square[W];
            for (int64_t j = 0; j < W; j++) {
                const T *q = row_of<const T>(p.in[Q], row, first_head + h + j);
                square[j] = h + j < heads ? U::query(q, i, p.width) : vu{};
                // the processor does not foresee the way along so many rows at once
                __builtin_prefetch(q + W * p.width + i * U::PER_WORD);
            }
            transpose(square);
            for (int64_t j = 0; j < W; j++) {
                store_u32(to + j * W, square[j]);
            }
        }
    }
}

WEFT_INLINE void stored_row(const float *from, float *to, int64_t width) {
    widen_row(from, to, width);
}

WEFT_INLINE void stored_row(const uint16_t *from, float *to, int64_t width) {
    widen_row(from, to, width);
}

WEFT_INLINE void stored_row(const uint16_t *from, uint16_t *to, int64_t width) {
    __builtin_memcpy(to, from, (uint64_t)width * 2);
}

/** The rows that the tiles read: the keys themselves, or copies with zeros up to a whole strip. */
template <class U>
void stored_keys(const Problem &p, const KeyBlock<typename U::Element> &from, float *memory,
                 KeyBlock<typename U::Stored> &to) {
    using Stored = typename U::Stored;
    const int64_t width = padded(p.width, STRIP);
    if constexpr (U::IN_PLACE) {
        if (width == p.width) {
            to = from;
            return;
        }
    }
    to.count = from.count;
    auto *copy = reinterpret_cast<Stored *>(memory);
    for (int64_t j = 0; j < BLOCK_KEYS; j++) {
        to.keys[j] = copy;
        if (j < from.count) {
            __builtin_memset(copy + width - STRIP, 0, STRIP * sizeof(Stored));
            stored_row(from.keys[j], copy, p.width);
            copy += j + 1 < from.count ? width + ROW_GAP : 0;
        }
    }
}

/** Divides by the denominators and writes the result. */
template <class U>
void finish(const Problem &p, const Scratch &s, int64_t row, int64_t first_head, int64_t heads) {
    using T = typename U::Element;
    const int64_t strip_floats = padded(heads, W) * STRIP;
    for (int64_t h = 0; h < heads; h++) {
        const float factor = 1.0f / s.softmax.denominator[h];
        const float *from = s.numerators + h * STRIP;
        T *to = row_of<T>(*p.out, row, first_head + h);
        for (int64_t c = 0; c < p.width; c += STRIP, from += strip_floats) {
            vf first = load(from) * factor;
            vf second = load(from + W) * factor;
            U::in_order(first, second);
            store_upto(to + c, first, p.width - c);
            if (c + W < p.width) {
                store_upto(to + c + W, second, p.width - c - W);
            }
        }
    }
}

template <class U>
void attend(const Problem &p, const Scratch &s, int64_t row, int64_t b, int64_t first_head, int64_t heads) {
    const int64_t padded_heads = padded(heads, W);
    const int64_t width = padded(p.width, STRIP);
    const int64_t panel_words = width / U::PER_WORD * W;
    pack_query<U>(p, row, first_head, heads, s.query);
    begin_softmax(s.softmax, static_cast<const float *>(p.in[SINK].data) + first_head, heads, padded_heads);
    Keys<typename U::Element> keys(p, row, b);
    KeyBlock<typename U::Element> block, next;
    KeyBlock<typename U::Stored> stored;
    keys.next(block);
    for (bool begin = true; block.count > 0; begin = false, block = next) {
        stored_keys<U>(p, block, s.keys, stored);
        keys.next(next);
        for (int64_t h = 0; h < padded_heads; h += PANELS * W) {
            const uint32_t *query = s.query + h / W * panel_words;
            const int64_t panels = least(PANELS, (padded_heads - h) / W);
            const auto score = panels == PANELS ? score_panels<U, PANELS> : score_panels<U, 1>;
            score(query, panel_words, stored, p.scale, s.scores);
            for (int64_t i = 0; i < panels; i++) {
                const int64_t at = h + i * W;
                const Softmax softmax = {s.softmax.maximum + at, s.softmax.denominator + at, s.softmax.rescale + at};
                add_scores<U>(s.scores + i * W, stored.count, softmax, s.probabilities + at, padded_heads);
            }
        }
        add_values<U>(stored, next, width, s.probabilities, padded_heads, begin, s.softmax.rescale, s.values,
                      s.numerators);
    }
    finish<U>(p, s, row, first_head, heads);
}

/** Heads per item: many, for they share the work on keys, but no thread shall go without an item. */
int64_t heads_per_item(const Problem &p, int32_t threads) {
    int64_t heads = MOST_HEADS;
    auto items = [&] { return p.rows * ceil_div(p.heads, heads); };
    while (heads > PANELS * W && items() < threads * ITEMS_PER_THREAD) {
        heads /= 2;
    }
    return heads > W && items() < threads ? W : heads;
}

template <class U>
void run_words(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.attributes, command.operands);
    const int64_t heads = heads_per_item(p, pool.threads());
    const int64_t groups = ceil_div(p.heads, heads);
    pool.parallel_for(p.rows * groups, [&](int64_t item, int32_t thread) {
        const int64_t row = item / groups;
        const int64_t first = item % groups * heads;
        const int64_t b = sequence_of(p.in[STARTS], row);
        if (b >= 0) {
            Scratch s;
            lay_out(p, static_cast<uint32_t *>(command.workspace) + thread * scratch_words(p), s);
            attend<U>(p, s, row, b, first, least(heads, p.heads - first));
        }
    });
}

#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
constexpr KernelFn RUN_BF16 = run_words<Pairs>;
#else
constexpr KernelFn RUN_BF16 = run_words<Floats<uint16_t>>;
#endif

void run(const weft_command &command, Pool &pool) {
    (command.operands[Q].dtype == WEFT_BF16 ? RUN_BF16 : run_words<Floats<float>>)(command, pool);
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t) {
    if (!flows(operands[Q])) {
        return "queries must be F32 or BF16";
    }
    return operands[Q].dims[1] < 0 || operands[Q].dims[2] < 0 ? "heads and head width must be known" : nullptr;
}

int64_t workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    return threads * scratch_words(problem(attributes, operands)) * 4;
}

}  // namespace

}  // namespace attention

void register_attention(KernelEntry *table) {
    table[WEFT_SPARSE_ATTENTION] = {attention::run, "sparse_attention", attention::unsupported, attention::workspace,
                                    nullptr};
}

}  // namespace weft::WEFT_ISA

// SparseAttention: a thread takes one row and some of its heads, and walks the row's key list in blocks of 64 keys with
// a running maximum. Blocks are counted along the list and not along memory, so a row's bits depend neither on where
// keys lie nor on how the prompt was cut into steps.
#include "isa/op_rows.h"

namespace weft::WEFT_ISA {

namespace {

enum Operand { Q, KV, RING, SINK, POSITIONS, STARTS, SLOTS, CACHE, PAGES, PICKS };
enum Reach { REACH_WINDOW, REACH_ALL, REACH_PICKED };

constexpr int64_t BLOCK_KEYS = 64;
constexpr int HEAD_TILE = 4;
constexpr int KEY_TILE = W == 16 ? 4 : 2;
constexpr int VALUE_TILE = W == 16 ? 4 : 2;
constexpr int64_t MOST_HEADS = 32;
/** Items per thread that let fast threads take over work of slow ones. */
constexpr int64_t ITEMS_PER_THREAD = 3;

struct Problem {
    const weft_operand *in;
    const weft_operand *out;
    int64_t window;
    int64_t ratio;
    int64_t reach;
    float scale;
    int64_t rows;
    int64_t heads;
    int64_t width;
    int64_t stride;  // floats between scratch rows
};

Problem problem(const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.window = attributes[0];
    p.ratio = attributes[1];
    p.reach = attributes[2];
    p.scale = real_attribute(attributes[3]);
    p.out = &in[p.reach == REACH_WINDOW ? CACHE : p.reach == REACH_ALL ? PICKS : PICKS + 1];
    p.rows = in[Q].dims[0];
    p.heads = in[Q].dims[1];
    p.width = in[Q].dims[2];
    // not a power of two, or the rows of a tile would fall into the same cache set
    p.stride = padded(p.width, VALUE_TILE * VECTOR_PAD) + VECTOR_PAD;
    return p;
}

/// Scratch memory of a thread. Tiles always have HEAD_TILE heads; what lies behind the last head is computed in vain.
struct Scratch {
    float *keys;    // [BLOCK_KEYS][stride]
    float *query;   // [MOST_HEADS][stride]
    float *sum;     // [MOST_HEADS][stride], numerators
    float *scores;  // [MOST_HEADS][BLOCK_KEYS], then probabilities
};

int64_t scratch_floats(const Problem &p) {
    return (BLOCK_KEYS + 2 * MOST_HEADS) * p.stride + MOST_HEADS * BLOCK_KEYS;
}

Scratch scratch(const Problem &p, void *workspace, int32_t thread) {
    float *base = static_cast<float *>(workspace) + thread * scratch_floats(p);
    Scratch s = {};
    s.keys = base;
    s.query = s.keys + BLOCK_KEYS * p.stride;
    s.sum = s.query + MOST_HEADS * p.stride;
    s.scores = s.sum + MOST_HEADS * p.stride;
    return s;
}

/** The key list of one row, read from front to back. */
template <class T>
class Keys {
public:
    Keys(const Problem &p, int64_t row, int64_t b)
        : p_(p),
          sequence_(sequence(p.in[POSITIONS], p.in[STARTS], b)),
          slot_(at(p.in[SLOTS], b)),
          position_(at(p.in[POSITIONS], row)),
          key_(position_ >= p.window ? position_ - p.window + 1 : 0) {
        if (p.reach == REACH_WINDOW) {
            return;
        }
        pages_ = row_of<const int32_t>(p.in[PAGES], b);
        entries_ = (position_ + 1) / p.ratio;
        if (p.reach == REACH_PICKED) {
            picks_ = row_of<const int32_t>(p.in[PICKS], row);
            entries_ = p.in[PICKS].dims[1];
        }
    }

    /** Copies the next keys to [BLOCK_KEYS][stride] floats and returns their number, 0 behind the end of the list. */
    int64_t next_block(float *to) {
        int64_t n = 0;
        for (; n < BLOCK_KEYS && key_ <= position_; key_++) {
            copy(step_or_ring<T>(p_.in[KV], p_.in[RING], sequence_, slot_, key_), to, n++);
        }
        for (; n < BLOCK_KEYS && entry_ < entries_; entry_++) {
            const int64_t index = picks_ != nullptr ? picks_[entry_] : entry_;
            if (index >= 0) {
                copy(entry_of<const T>(p_.in[CACHE], pages_, index), to, n++);
            }
        }
        return n;
    }

private:
    void copy(const T *key, float *to, int64_t n) {
        widen_row(key, to + n * p_.stride, p_.width);
    }

    const Problem &p_;
    const Sequence sequence_;
    const int64_t slot_;
    const int64_t position_;
    int64_t key_;  // position of the next window key
    const int32_t *pages_ = nullptr;
    const int32_t *picks_ = nullptr;
    int64_t entry_ = 0;
    int64_t entries_ = 0;
};

/**
 * One step of a reduction of many vectors at once: blocks of 2 * half lanes of a and b are folded to half lanes each.
 * The additions of a lane's sum are those of hsum, wherever the vector stands.
 */
template <int half>
WEFT_INLINE vf fold(vf a, vf b) {
    vi low, high;
    for (int i = 0; i < W; i++) {
        const int block = i / (2 * half) * 2 * half;
        const int lane = i % (2 * half);
        low[i] = lane < half ? block + lane : W + block + lane - half;
        high[i] = low[i] + half;
    }
    return __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high);
}

/** Sums of the lanes of W vectors: lane i of the result is hsum(v[i]). */
template <int half>
WEFT_INLINE vf fold_all(const vf *v) {
    if constexpr (half == W) {
        return v[0];
    } else {
        // vectors half .. 2 half - 1 go to the upper lanes of each pair
        return fold<half>(fold_all<2 * half>(v), fold_all<2 * half>(v + half));
    }
}

/** Scores of HEAD_TILE heads and KEY_TILE keys. Each sum runs along the width in the same order. */
void score_tile(const Problem &p, const float *query, const float *keys, float *scores) {
    vf sums[HEAD_TILE * KEY_TILE] = {};
    for (int64_t c = 0; c < p.width; c += W) {
        vf k[KEY_TILE];
        for (int j = 0; j < KEY_TILE; j++) {
            k[j] = load(keys + j * p.stride + c);
        }
        for (int h = 0; h < HEAD_TILE; h++) {
            const vf q = load(query + h * p.stride + c);
            for (int j = 0; j < KEY_TILE; j++) {
                sums[h * KEY_TILE + j] = fma(q, k[j], sums[h * KEY_TILE + j]);
            }
        }
    }
    for (int i = 0; i < HEAD_TILE * KEY_TILE; i += W) {
        float dots[W];
        store(dots, fold_all<1>(sums + i) * p.scale);
        for (int j = 0; j < W; j++) {
            scores[(i + j) / KEY_TILE * BLOCK_KEYS + (i + j) % KEY_TILE] = dots[j];
        }
    }
}

/** sum = sum * rescale + probabilities . values, for HEAD_TILE heads; keys ascending in each sum. */
void value_tile(const Problem &p, const float *probabilities, const float *rescale, const float *values, int64_t keys,
                float *sum) {
    for (int64_t c = 0; c < p.width; c += VALUE_TILE * W) {
        vf sums[HEAD_TILE][VALUE_TILE];
        for (int h = 0; h < HEAD_TILE; h++) {
            for (int v = 0; v < VALUE_TILE; v++) {
                sums[h][v] = load(sum + h * p.stride + c + v * W) * rescale[h];
            }
        }
        for (int64_t j = 0; j < keys; j++) {
            vf value[VALUE_TILE];
            for (int v = 0; v < VALUE_TILE; v++) {
                value[v] = load(values + j * p.stride + c + v * W);
            }
            for (int h = 0; h < HEAD_TILE; h++) {
                const vf e = broadcast(probabilities[h * BLOCK_KEYS + j]);
                for (int v = 0; v < VALUE_TILE; v++) {
                    sums[h][v] = fma(e, value[v], sums[h][v]);
                }
            }
        }
        for (int h = 0; h < HEAD_TILE; h++) {
            for (int v = 0; v < VALUE_TILE; v++) {
                store(sum + h * p.stride + c + v * W, sums[h][v]);
            }
        }
    }
}

/** Running softmax of a head. */
struct Softmax {
    float maximum;
    float denominator;
    float rescale;  // of the numerators, for the block just added
};

/** Turns a block's scores, of which the last are -infinity, into probabilities for the numerator. */
template <class T>
void add_block(float *scores, Softmax &s) {
    vf most = load(scores);
    for (int64_t j = W; j < BLOCK_KEYS; j += W) {
        most = max(most, load(scores + j));
    }
    const float block = hmax(most);
    const float maximum = block > s.maximum ? block : s.maximum;
    vf sum = {};
    for (int64_t j = 0; j < BLOCK_KEYS; j += W) {
        const vf e = exp(load(scores + j) - maximum);
        sum += e;
        store(scores + j, round_to<T>(e));
    }
    s.rescale = exp(s.maximum - maximum);
    s.denominator = s.denominator * s.rescale + hsum(sum);
    s.maximum = maximum;
}

/** Lets the sink join and writes a head's result. */
template <class T>
void finish(const Problem &p, const Softmax &s, float sink, const float *sum, T *to) {
    const float maximum = sink > s.maximum ? sink : s.maximum;
    const float rescale = exp(s.maximum - maximum);
    const float denominator = s.denominator * rescale + exp(sink - maximum);
    for (int64_t c = 0; c < p.width; c += W) {
        store_upto(to + c, load(sum + c) * rescale / denominator, p.width - c);
    }
}

template <class T>
void attend(const Problem &p, const Scratch &s, int64_t row, int64_t b, int64_t first_head, int64_t heads) {
    const int64_t tiled = padded(heads, HEAD_TILE);
    Softmax softmax[MOST_HEADS];
    for (int64_t h = 0; h < tiled; h++) {
        softmax[h] = {-__builtin_inff(), 0, 0};
        __builtin_memset(s.sum + h * p.stride, 0, (uint64_t)p.stride * 4);
        if (h < heads) {
            widen_row(row_of<const T>(p.in[Q], row, first_head + h), s.query + h * p.stride, p.width);
        } else {
            __builtin_memset(s.query + h * p.stride, 0, (uint64_t)p.stride * 4);
        }
    }
    Keys<T> keys(p, row, b);
    for (int64_t n = keys.next_block(s.keys); n > 0; n = keys.next_block(s.keys)) {
        for (int64_t h = 0; h < tiled; h += HEAD_TILE) {
            // an odd last key is scored with whatever follows it; that score is overwritten below
            for (int64_t j = 0; j < n; j += KEY_TILE) {
                score_tile(p, s.query + h * p.stride, s.keys + j * p.stride, s.scores + h * BLOCK_KEYS + j);
            }
            float rescale[HEAD_TILE];
            for (int64_t i = h; i < h + HEAD_TILE; i++) {
                float *scores = s.scores + i * BLOCK_KEYS;
                for (int64_t j = n; j < BLOCK_KEYS; j++) {
                    scores[j] = -__builtin_inff();
                }
                add_block<T>(scores, softmax[i]);
                rescale[i - h] = softmax[i].rescale;
            }
            value_tile(p, s.scores + h * BLOCK_KEYS, rescale, s.keys, n, s.sum + h * p.stride);
        }
    }
    auto *sinks = static_cast<const float *>(p.in[SINK].data);
    for (int64_t h = 0; h < heads; h++) {
        finish(p, softmax[h], sinks[first_head + h], s.sum + h * p.stride, row_of<T>(*p.out, row, first_head + h));
    }
}

/** Heads per item: many, to widen a key once for all of them, unless threads would go without work. */
int64_t heads_per_item(const Problem &p, int32_t threads) {
    int64_t heads = MOST_HEADS;
    while (heads > HEAD_TILE && p.rows * ceil_div(p.heads, heads) < threads * ITEMS_PER_THREAD) {
        heads /= 2;
    }
    return heads;
}

template <class T>
void run_typed(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.attributes, command.operands);
    const int64_t heads = heads_per_item(p, pool.threads());
    const int64_t groups = ceil_div(p.heads, heads);
    pool.parallel_for(p.rows * groups, [&](int64_t item, int32_t thread) {
        const int64_t row = item / groups;
        const int64_t first = item % groups * heads;
        const int64_t b = sequence_of(p.in[STARTS], row);
        if (b >= 0) {
            attend<T>(p, scratch(p, command.workspace, thread), row, b, first, least(heads, p.heads - first));
        }
    });
}

void run(const weft_command &command, Pool &pool) {
    if (command.operands[Q].dtype == WEFT_BF16) {
        run_typed<uint16_t>(command, pool);
    } else {
        run_typed<float>(command, pool);
    }
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t) {
    if (!flows(operands[Q])) {
        return "queries must be F32 or BF16";
    }
    return operands[Q].dims[1] < 0 || operands[Q].dims[2] < 0 ? "heads and head width must be known" : nullptr;
}

int64_t workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    return threads * scratch_floats(problem(attributes, operands)) * 4;
}

}  // namespace

void register_attention(KernelEntry *table) {
    table[WEFT_SPARSE_ATTENTION] = {run, "sparse_attention", unsupported, workspace, nullptr};
}

}  // namespace weft::WEFT_ISA

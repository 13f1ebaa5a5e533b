// Mixture of experts around the matrix products: choice, distribution of rows, sum.
#include "isa/op_common.h"
#include "isa/top_values.h"

namespace weft::WEFT_ISA {

namespace {

// ---- gate ----

/** Ordinals of MoeGate.Score. */
enum Score { SQRT_SOFTPLUS = 0, SIGMOID = 1, SOFTMAX = 2 };

/** log(1 + z) for z in [0, 1], within 3e-7 relative. */
vf log_one_plus(vf z) {
    // 2 artanh(t) = 2 (t + t^3/3 + t^5/5 + ...), t <= 1/3
    const vf t = z / (z + 2.0f);
    const vf s = t * t;
    vf p = broadcast(1.0f / 15);
    for (int odd = 13; odd >= 3; odd -= 2) {
        p = fma(p, s, broadcast(1.0f / (float)odd));
    }
    const vf twice = t + t;
    return fma(twice * s, p, twice);
}

vf sqrt_softplus(vf s) {
    // log(1 + e^s) = max(s, 0) + log(1 + e^-|s|); max passes over a NaN, the logarithm does not
    const vf softplus = max(s, vf{}) + log_one_plus(exp(-abs(s)));
    return sqrt(select(s > 20.0f, s, softplus));
}

void score_row(const float *logits, float *to, int64_t length, int64_t score) {
    if (score == SOFTMAX) {
        softmax_row(logits, to, length);
        return;
    }
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vf v = load_upto(logits + j, n);
        store_upto(to + j, score == SIGMOID ? 1.0f / (1.0f + exp(-v)) : sqrt_softplus(v), n);
    });
}

void sort_ascending(int32_t *values, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        const int32_t value = values[i];
        int64_t j = i;
        for (; j > 0 && values[j - 1] > value; j--) {
            values[j] = values[j - 1];
        }
        values[j] = value;
    }
}

/** Scratch of one thread: keys of the chosen experts, then the scores of all. */
struct GateScratch {
    int64_t keys;
    int64_t bytes;
};

GateScratch gate_scratch(int64_t k, int64_t experts) {
    const int64_t keys = k * (int64_t)sizeof(uint64_t);
    // whole lines, so that threads do not write to each other's
    return {keys, ceil_div(keys + experts * (int64_t)sizeof(float), 64) * 64};
}

struct Gate {
    int64_t k;
    int64_t score;
    bool hashed;
    float route_scale;
    Rows logits;
    const float *bias;   // scored
    const int32_t *ids;  // hashed
    Rows table;          // hashed
    Rows experts;
    Rows weights;
};

Gate gate_of(const weft_command &command) {
    Gate g = {};
    g.k = command.attributes[0];
    g.score = command.attributes[1];
    g.hashed = command.attributes[2] != 0;
    g.route_scale = real_attribute(command.attributes[3]);
    g.logits = rows_of(command.operands[0]);
    if (g.hashed) {
        g.ids = ints(command.operands[1]);
        g.table = rows_of(command.operands[2]);
    } else {
        g.bias = static_cast<const float *>(command.operands[1].data);
    }
    const weft_operand *results = command.operands + (g.hashed ? 3 : 2);
    g.experts = rows_of(results[0]);
    g.weights = rows_of(results[1]);
    return g;
}

void choose(const Gate &g, int64_t row, const float *scores, uint64_t *keys, int32_t *chosen) {
    if (g.hashed) {
        __builtin_memcpy(chosen, g.table.row<int32_t>(g.ids[row]), (uint64_t)g.k * 4);
    } else {
        TopValues top = {keys, g.k, 0};
        top.offer_all(g.logits.columns, [&](int64_t e, int64_t n) {
            return load_upto(scores + e, n) + load_upto(g.bias + e, n);
        });
        for (int64_t j = 0; j < g.k; j++) {
            chosen[j] = TopValues::column(keys[j]);
        }
    }
    sort_ascending(chosen, g.k);
}

void weigh(const Gate &g, const float *scores, const int32_t *chosen, float *weights) {
    float sum = 0;
    for (int64_t j = 0; j < g.k; j++) {
        sum += scores[chosen[j]];
    }
    for (int64_t j = 0; j < g.k; j++) {
        const float score = scores[chosen[j]];
        weights[j] = (g.score == SOFTMAX ? score : score / sum) * g.route_scale;
    }
}

void moe_gate(const weft_command &command, Pool &pool) {
    const Gate g = gate_of(command);
    const GateScratch layout = gate_scratch(g.k, g.logits.columns);
    auto *workspace = static_cast<uint8_t *>(command.workspace);
    const int64_t grain = row_grain(4 * g.logits.columns);
    pool.parallel_ranges(g.logits.count(), grain, [&](int64_t begin, int64_t end, int32_t thread) {
        auto *keys = reinterpret_cast<uint64_t *>(workspace + thread * layout.bytes);
        auto *scores = reinterpret_cast<float *>(workspace + thread * layout.bytes + layout.keys);
        for (int64_t i = begin; i < end; i++) {
            score_row(g.logits.row<float>(i), scores, g.logits.columns, g.score);
            int32_t *chosen = g.experts.row<int32_t>(i);
            choose(g, i, scores, keys, chosen);
            weigh(g, scores, chosen, g.weights.row<float>(i));
        }
    });
}

int64_t moe_gate_workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    return threads * gate_scratch(attributes[0], known(operands[0].dims[1])).bytes;
}

// ---- dispatch ----

/** Number of an expert among the `experts` ones from `first` on, `experts` if it is not among them. */
WEFT_INLINE int64_t expert_here(int32_t expert, int64_t first, int64_t experts) {
    const int64_t here = expert - first;
    return here >= 0 && here < experts ? here : experts;
}

/**
 * Counting sort of the pairs (row, choice) by expert, those of experts elsewhere last; stable, so that rows ascend inside
 * an expert. Fills offsets [experts + 1], sources and weights.
 *
 * @param next room for experts + 1 numbers
 */
void sort_pairs(const weft_command &command, int32_t *next) {
    const int64_t experts = command.attributes[0];
    const int64_t first = command.attributes[1];
    const Rows ids = rows_of(command.operands[1]);
    const Rows weights = rows_of(command.operands[2]);
    auto *sorted_weights = static_cast<float *>(command.operands[4].data);
    auto *source = static_cast<int32_t *>(command.operands[5].data);
    auto *offsets = static_cast<int32_t *>(command.operands[6].data);
    const int64_t k = ids.columns;
    __builtin_memset(next, 0, (uint64_t)(experts + 1) * 4);
    for (int64_t i = 0; i < ids.outer; i++) {
        const int32_t *row = ids.row<int32_t>(i);
        for (int64_t c = 0; c < k; c++) {
            next[expert_here(row[c], first, experts)]++;
        }
    }
    int32_t total = 0;
    for (int64_t e = 0; e <= experts; e++) {
        const int32_t count = next[e];
        offsets[e] = next[e] = total;
        total += count;
    }
    for (int64_t i = 0; i < ids.outer; i++) {
        const int32_t *row = ids.row<int32_t>(i);
        for (int64_t c = 0; c < k; c++) {
            const int32_t to = next[expert_here(row[c], first, experts)]++;
            sorted_weights[to] = weights.row<float>(i)[c];
            source[to] = (int32_t)(i * k + c);
        }
    }
}

void moe_dispatch(const weft_command &command, Pool &pool) {
    sort_pairs(command, static_cast<int32_t *>(command.workspace));
    const weft_operand &operand = command.operands[0];
    const Rows x = rows_of(operand);
    const Rows y = rows_of(command.operands[3]);
    const int32_t *source = ints(command.operands[5]);
    const int64_t k = command.operands[1].dims[1];
    const int64_t size = bytes_of(operand.dtype);
    const int64_t bytes = x.columns * size;
    const int64_t blocks = operand.scaling != 0 ? ceil_div(x.columns, operand.scaling & 0xFFFFFFFF) : 0;
    const auto *from_scales = static_cast<const uint8_t *>(operand.scale);
    auto *to_scales = static_cast<uint8_t *>(command.operands[3].scale);
    pool.parallel_ranges(y.outer, row_grain(x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t p = begin; p < end; p++) {
            const int64_t row = source[p] / k;
            __builtin_memcpy(y.data + y.at(p) * size, x.data + x.at(row) * size, (uint64_t)bytes);
            if (blocks != 0) {
                __builtin_memcpy(to_scales + p * blocks, from_scales + row * blocks, (uint64_t)blocks);
            }
        }
    });
}

int64_t moe_dispatch_workspace(const int64_t *attributes, const weft_operand *, int64_t, int32_t) {
    return (attributes[0] + 1) * (int64_t)sizeof(int32_t);
}

// ---- the way to the ranks and back ----

void moe_places(const weft_command &command, Pool &) {
    const auto *table = reinterpret_cast<const int32_t *>(command.attributes[0]);
    const int64_t slots = command.attributes[1];
    const Rows experts = rows_of(command.operands[0]);
    const Rows places = rows_of(command.operands[1]);
    auto *back = static_cast<int32_t *>(command.operands[2].data);
    auto *source = static_cast<int32_t *>(command.operands[3].data);
    const int64_t k = experts.columns;
    for (int64_t i = 0; i < experts.outer; i++) {
        const int32_t *chosen = experts.row<int32_t>(i);
        int32_t *to = places.row<int32_t>(i);
        for (int64_t c = 0; c < k; c++) {
            to[c] = table[chosen[c]];
            back[i * k + c] = (int32_t)((to[c] / slots * places.outer + i) * k + c);
            source[i * k + c] = (int32_t)(i * k + c);
        }
    }
    for (int64_t i = experts.outer; i < places.outer; i++) {
        __builtin_memset(places.row<int32_t>(i), 0xFF, (uint64_t)k * 4);
    }
}

template <class T>
void unsort(const weft_command &command, Pool &pool) {
    const Rows y = rows_of(command.operands[0]);
    const int32_t *source = ints(command.operands[1]);
    const Rows z = rows_of(command.operands[2]);
    pool.parallel_ranges(y.outer, row_grain(y.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t p = begin; p < end; p++) {
            __builtin_memcpy(z.row<T>(source[p]), y.row<T>(p), (uint64_t)y.columns * sizeof(T));
        }
    });
}

// ---- combine ----

/** Columns of an item: one row of a decoding step still keeps several threads busy. */
constexpr int64_t COMBINE_COLUMNS = 1024;

/** Sums columns [from, to) of the rows that `places` lists; -1 stands for a choice that was left out. */
template <class T>
void combine_row(const Rows &y, const int32_t *places, int64_t k, const T *shared, T *out, int64_t from, int64_t to) {
    each_vector(to - from, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        vf sum = {};
        for (int64_t c = 0; c < k; c++) {
            if (places[c] >= 0) {
                sum += load_upto(y.row<T>(places[c]) + from + j, n);
            }
        }
        store_upto(out + from + j, sum + load_upto(shared + from + j, n), n);
    });
}

template <class T>
void moe_combine(const weft_command &command, Pool &pool) {
    const Rows y = rows_of(command.operands[0]);
    const int32_t *source = ints(command.operands[1]);
    const Rows shared = rows_of(command.operands[2]);
    const Rows out = rows_of(command.operands[3]);
    if (shared.outer == 0) {
        return;
    }
    const int64_t k = y.outer / shared.outer;
    auto *places = static_cast<int32_t *>(command.workspace);
    __builtin_memset(places, 0xFF, (uint64_t)y.outer * 4);
    for (int64_t p = 0; p < y.outer; p++) {
        if (source[p] >= 0 && source[p] < y.outer) {
            places[source[p]] = (int32_t)p;
        }
    }
    const int64_t pieces = ceil_div(out.columns, COMBINE_COLUMNS);
    const int64_t piece = out.columns < COMBINE_COLUMNS ? out.columns : COMBINE_COLUMNS;
    pool.parallel_ranges(out.outer * pieces, row_grain((k + 1) * piece), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t item = begin; item < end; item++) {
            const int64_t i = item / pieces;
            const int64_t from = item % pieces * COMBINE_COLUMNS;
            const int64_t to = out.columns - from < COMBINE_COLUMNS ? out.columns : from + COMBINE_COLUMNS;
            combine_row(y, places + i * k, k, shared.row<T>(i), out.row<T>(i), from, to);
        }
    });
}

int64_t moe_combine_workspace(const int64_t *, const weft_operand *operands, int64_t, int32_t) {
    return known(operands[0].dims[0]) * (int64_t)sizeof(int32_t);
}

// ---- support ----

const char *gate_support(const int64_t *, const weft_operand *operands, int64_t) {
    return operands[0].dtype == WEFT_F32 ? nullptr : "logits must be F32";
}

const char *dispatch_support(const int64_t *, const weft_operand *operands, int64_t) {
    const bool codes = operands[0].dtype == WEFT_F8_E4M3 && operands[0].scaling == ((int64_t)1 << 32 | 128);
    return codes || flows(operands[0]) ? nullptr : "x must be F32, BF16 or F8_E4M3 with scales per 1x128";
}

const char *combine_support(const int64_t *, const weft_operand *operands, int64_t) {
    return flows(operands[0]) ? nullptr : "y must be F32 or BF16";
}

const char *places_support(const int64_t *, const weft_operand *operands, int64_t) {
    return operands[0].dtype == WEFT_I32 ? nullptr : "experts must be I32";
}

}  // namespace

void register_moe(KernelEntry *table) {
    table[WEFT_MOE_GATE] = {moe_gate, "moe_gate", gate_support, moe_gate_workspace, nullptr};
    table[WEFT_MOE_DISPATCH] = {moe_dispatch, "moe_dispatch", dispatch_support, moe_dispatch_workspace, nullptr};
    table[WEFT_MOE_PLACES] = {moe_places, "moe_places", places_support, nullptr, nullptr};
    table[WEFT_UNSORT] = {by_flow<unsort<float>, unsort<bf16>>, "unsort", combine_support, nullptr, nullptr};
    table[WEFT_MOE_COMBINE] = {by_flow<moe_combine<float>, moe_combine<bf16>>, "moe_combine", combine_support,
                               moe_combine_workspace, nullptr};
}

}  // namespace weft::WEFT_ISA

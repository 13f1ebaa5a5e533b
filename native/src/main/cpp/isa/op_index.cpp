// LightningIndex: scores of as many rows as there are threads, cut into chunks of entries, then one selection per row.
#include "isa/op_rows.h"

namespace weft::WEFT_ISA {

namespace {

enum Operand { Q, WEIGHTS, KEYS, POSITIONS, STARTS, PAGES, OUT };

/** Entries scored together: lanes are entries, so that no sum crosses lanes. */
constexpr int64_t BLOCK_ENTRIES = 64;
/** Entries per item: enough to pay for widening the query. */
constexpr int64_t CHUNK_ENTRIES = 512;
constexpr int HEAD_TILE = 4;
constexpr int VECTOR_TILE = W == 16 ? 4 : 2;
constexpr int DIGIT_BITS = 8;

struct Problem {
    const weft_operand *in;
    int64_t top_k;
    int64_t ratio;
    int64_t rows;
    int64_t heads;
    int64_t tiled_heads;
    int64_t width;
    int64_t capacity;  // entries that a page list can hold
};

Problem problem(const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.top_k = attributes[0];
    p.ratio = attributes[1];
    p.rows = in[Q].dims[0];
    p.heads = in[Q].dims[1];
    p.tiled_heads = padded(p.heads, HEAD_TILE);
    p.width = in[Q].dims[2];
    p.capacity = in[PAGES].dims[1] * in[KEYS].dims[1];
    return p;
}

int64_t visible(const Problem &p, int64_t row) {
    return least((at(p.in[POSITIONS], row) + 1) / p.ratio, p.capacity);
}

// ---- scratch memory: the rows of a wave, their scores, then per thread query and keys ----

int64_t wave_bytes(int32_t threads) {
    return padded(threads * 8, CACHE_LINE);
}

int64_t score_stride(const Problem &p) {
    return padded(p.capacity, BLOCK_ENTRIES);
}

int64_t query_stride(const Problem &p) {
    return padded(p.width, VECTOR_PAD);
}

int64_t thread_floats(const Problem &p) {
    return p.tiled_heads * query_stride(p) + padded(p.width, VECTOR_PAD) * BLOCK_ENTRIES;
}

/** Blocks of `half` lanes of a and b in turn: the even blocks (upper = 0) or the odd ones (upper = 1). */
template <int half, int upper>
WEFT_INLINE vf interleave(vf a, vf b) {
    vi lanes;
    for (int i = 0; i < W; i++) {
        const int lane = i / (2 * half) * 2 * half + i % half + upper * half;
        lanes[i] = i % (2 * half) < half ? lane : W + lane;
    }
    return __builtin_shuffle(a, b, lanes);
}

/** Transposes a W x W matrix: exchanges quadrants, then quadrants of the quadrants. */
template <int half>
WEFT_INLINE void transpose(vf *v) {
    if constexpr (half > 0) {
        for (int i = 0; i < W; i++) {
            if ((i & half) == 0) {
                const vf a = v[i];
                const vf b = v[i + half];
                v[i] = interleave<half, 0>(a, b);
                v[i + half] = interleave<half, 1>(a, b);
            }
        }
        transpose<half / 2>(v);
    }
}

/** Keys [first, first + n) as columns [width][BLOCK_ENTRIES]; columns behind n are zero. */
template <class T>
void transpose_keys(const Problem &p, const int32_t *pages, int64_t first, int64_t n, float *to) {
    for (int64_t j = 0; j < BLOCK_ENTRIES; j += W) {
        const T *keys[W];
        for (int i = 0; i < W; i++) {
            keys[i] = j + i < n ? entry_of<const T>(p.in[KEYS], pages, first + j + i) : nullptr;
        }
        for (int64_t c = 0; c < p.width; c += W) {
            vf square[W];
            for (int i = 0; i < W; i++) {
                square[i] = keys[i] != nullptr ? load_upto(keys[i] + c, p.width - c) : vf{};
            }
            transpose<W / 2>(square);
            for (int i = 0; i < W; i++) {
                store(to + (c + i) * BLOCK_ENTRIES + j, square[i]);
            }
        }
    }
}

/** Adds the terms of up to HEAD_TILE heads to the scores of VECTOR_TILE vectors of entries, heads ascending. */
template <class T>
WEFT_INLINE void add_heads(const Problem &p, const float *query, const T *weights, int64_t heads, const float *keys,
                           vf *scores) {
    const int64_t stride = query_stride(p);
    vf dots[HEAD_TILE][VECTOR_TILE] = {};
    for (int64_t c = 0; c < p.width; c++) {
        vf k[VECTOR_TILE];
        for (int v = 0; v < VECTOR_TILE; v++) {
            k[v] = load(keys + c * BLOCK_ENTRIES + v * W);
        }
        for (int h = 0; h < HEAD_TILE; h++) {
            const vf q = broadcast(query[h * stride + c]);
            for (int v = 0; v < VECTOR_TILE; v++) {
                dots[h][v] = fma(q, k[v], dots[h][v]);
            }
        }
    }
    for (int64_t h = 0; h < HEAD_TILE && h < heads; h++) {
        const float weight = load_tail(weights + h, 1)[0];
        for (int v = 0; v < VECTOR_TILE; v++) {
            const vf positive = max(vf{}, round_to<T>(dots[h][v]));  // keeps NaN
            scores[v] += round_to<T>(positive * weight);
        }
    }
}

/** Integers in the order of the scores: equal zeros, NaN lowest. */
WEFT_INLINE vu order(vf score) {
    const vu bits = as_bits(score + 0.0f);  // -0 becomes 0
    const vu negative = (vu)((vi)bits >> 31);
    const vu ordered = bits ^ (negative | 0x80000000u);
    return select(score != score, (vu)vi{}, ordered);
}

/** Scores entries [first, last) of one row, as ordered integers. */
template <class T>
void score_chunk(const Problem &p, int64_t row, int64_t first, int64_t last, float *memory, uint32_t *to) {
    float *query = memory;
    float *keys = memory + p.tiled_heads * query_stride(p);
    for (int64_t h = 0; h < p.heads; h++) {
        widen_row(row_of<const T>(p.in[Q], row, h), query + h * query_stride(p), p.width);
    }
    // the last tile computes with heads that do not exist, and drops them
    __builtin_memset(query + p.heads * query_stride(p), 0,
                     (uint64_t)((p.tiled_heads - p.heads) * query_stride(p)) * 4);
    auto *weights = row_of<const T>(p.in[WEIGHTS], row);
    const int32_t *pages = row_of<const int32_t>(p.in[PAGES], sequence_of(p.in[STARTS], row));
    for (int64_t block = first; block < last; block += BLOCK_ENTRIES) {
        transpose_keys<T>(p, pages, block, least(BLOCK_ENTRIES, last - block), keys);
        for (int64_t e = 0; e < BLOCK_ENTRIES; e += VECTOR_TILE * W) {
            vf scores[VECTOR_TILE] = {};
            for (int64_t h = 0; h < p.heads; h += HEAD_TILE) {
                add_heads<T>(p, query + h * query_stride(p), weights + h, p.heads - h, keys + e, scores);
            }
            for (int v = 0; v < VECTOR_TILE; v++) {
                const vu ordered = order(round_to<T>(scores[v]));
                __builtin_memcpy(to + block + e + v * W, &ordered, sizeof ordered);
            }
        }
    }
}

/** The k-th greatest of n keys, and how many keys that equal it belong to the k greatest. */
struct Threshold {
    uint32_t key;
    int64_t equal;
};

Threshold threshold(const uint32_t *keys, int64_t n, int64_t k) {
    uint32_t prefix = 0;
    uint32_t mask = 0;
    for (int shift = 32 - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
        int64_t counts[1 << DIGIT_BITS] = {};
        for (int64_t j = 0; j < n; j++) {
            if ((keys[j] & mask) == prefix) {
                counts[keys[j] >> shift & ((1 << DIGIT_BITS) - 1)]++;
            }
        }
        uint32_t digit = (1 << DIGIT_BITS) - 1;
        while (counts[digit] < k) {
            k -= counts[digit--];
        }
        prefix |= digit << shift;
        mask |= (uint32_t)((1 << DIGIT_BITS) - 1) << shift;
    }
    return {prefix, k};
}

void pick_all(const Problem &p, int64_t n, int32_t *to) {
    for (int64_t j = 0; j < p.top_k; j++) {
        to[j] = j < n ? (int32_t)j : -1;
    }
}

void pick_best(const Problem &p, const uint32_t *keys, int64_t n, int32_t *to) {
    Threshold t = threshold(keys, n, p.top_k);
    int64_t count = 0;
    for (int64_t j = 0; j < n && count < p.top_k; j++) {
        if (keys[j] > t.key || (keys[j] == t.key && t.equal-- > 0)) {
            to[count++] = (int32_t)j;
        }
    }
}

/** Whether a row sees more entries than it may pick. Rows of no sequence see none. */
bool needs_scores(const Problem &p, int64_t row) {
    return visible(p, row) > p.top_k && sequence_of(p.in[STARTS], row) >= 0;
}

/** Writes the picks of the rows that need no scores. */
void pick_without_scores(const Problem &p, Pool &pool) {
    constexpr int64_t GRAIN = 16384;  // picks
    pool.parallel_ranges(p.rows, 1 + GRAIN / p.top_k, [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t row = begin; row < end; row++) {
            if (!needs_scores(p, row)) {
                pick_all(p, visible(p, row), row_of<int32_t>(p.in[OUT], row));
            }
        }
    });
}

/** Finds the next rows that need scores, at most `most`, and moves `row` behind them. */
int64_t next_wave(const Problem &p, int64_t &row, int64_t most, int64_t *wave) {
    int64_t count = 0;
    for (; row < p.rows && count < most; row++) {
        if (needs_scores(p, row)) {
            wave[count++] = row;
        }
    }
    return count;
}

template <class T>
void run_typed(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.attributes, command.operands);
    auto *memory = static_cast<uint8_t *>(command.workspace);
    auto *wave = (int64_t *)memory;
    auto *scores = (uint32_t *)(memory + wave_bytes(pool.threads()));
    auto *scratch = (float *)(scores + pool.threads() * score_stride(p));
    pick_without_scores(p, pool);
    for (int64_t row = 0; row < p.rows;) {
        const int64_t count = next_wave(p, row, pool.threads(), wave);
        int64_t chunks = 0;
        for (int64_t i = 0; i < count; i++) {
            const int64_t needed = ceil_div(visible(p, wave[i]), CHUNK_ENTRIES);
            chunks = needed > chunks ? needed : chunks;
        }
        pool.parallel_for(count * chunks, [&](int64_t item, int32_t thread) {
            const int64_t i = item / chunks;
            const int64_t first = item % chunks * CHUNK_ENTRIES;
            const int64_t last = least(first + CHUNK_ENTRIES, visible(p, wave[i]));
            if (first < last) {
                score_chunk<T>(p, wave[i], first, last, scratch + thread * thread_floats(p),
                               scores + i * score_stride(p));
            }
        });
        pool.parallel_for(count, [&](int64_t i, int32_t) {
            pick_best(p, scores + i * score_stride(p), visible(p, wave[i]), row_of<int32_t>(p.in[OUT], wave[i]));
        });
    }
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
    if (operands[Q].dims[1] < 0 || operands[Q].dims[2] < 0) {
        return "heads and head width must be known";
    }
    return operands[PAGES].dims[1] < 0 || operands[KEYS].dims[1] < 0 ? "a bound on entries must be known" : nullptr;
}

int64_t workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    const Problem p = problem(attributes, operands);
    return wave_bytes(threads) + threads * (score_stride(p) + thread_floats(p)) * 4;
}

}  // namespace

void register_index(KernelEntry *table) {
    table[WEFT_LIGHTNING_INDEX] = {run, "lightning_index", unsupported, workspace, nullptr};
}

}  // namespace weft::WEFT_ISA

// LightningIndex: the scores of a wave of rows, then one selection per row. Scores are a small matrix product: the keys
// of a block become columns once and meet all heads of all rows that see them.
#include "isa/op_rows.h"

namespace weft::WEFT_ISA {

namespace {

enum Operand { Q, WEIGHTS, KEYS, POSITIONS, STARTS, PAGES, OUT };

/** Entries scored together: lanes are entries, so that no sum crosses lanes. */
constexpr int64_t BLOCK_ENTRIES = 64;
/** Rows that share the columns of a block: enough to make their making cheap. */
constexpr int64_t ROW_GROUP = 8;
/** Products of query and key elements that make a worthwhile item. */
constexpr int64_t GRAIN_PRODUCTS = (int64_t)1 << 21;
/** Selection of one row in copied elements per entry. */
constexpr int64_t SELECTION_COST = 4;
constexpr int HEAD_TILE = 4;
constexpr int VECTOR_TILE = W == 16 ? 4 : 2;

/** F32 elements, one per 32-bit word of a query or a column. */
struct Singles {
    typedef float Element;
    static constexpr int ELEMENTS = 1;

    WEFT_INLINE vu load_words(const float *p, int64_t n) {
        return as_bits(load_upto(p, n));
    }
    WEFT_INLINE vf multiply_add(uint32_t query, vu keys, vf sum) {
        return fma(broadcast(as_float(query)), as_float(keys), sum);
    }
    WEFT_INLINE vf round(vf v) {
        return v;
    }
};

/** BF16 elements, widened. */
struct Widened : Singles {
    typedef bf16 Element;

    WEFT_INLINE vu load_words(const bf16 *p, int64_t n) {
        return as_bits(load_upto(p, n));
    }
    WEFT_INLINE vf round(vf v) {
        return round_bf16(v);
    }
};

#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
/** BF16 elements in pairs. The instructions take subnormal numbers as zero; no score is near that. */
struct Pairs {
    typedef bf16 Element;
    static constexpr int ELEMENTS = 2;

    WEFT_INLINE vu load_words(const bf16 *p, int64_t n) {
        vu words = {};
        __builtin_memcpy(&words, p, n >= 2 * W ? sizeof words : (uint64_t)n * sizeof(bf16));
        return words;
    }
    WEFT_INLINE vf multiply_add(uint32_t query, vu keys, vf sum) {
#if defined(__aarch64__)
        return (vf)vbfdotq_f32((float32x4_t)sum, (bfloat16x8_t)keys, (bfloat16x8_t)vdupq_n_u32(query));
#else
        return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)query), (__m512bh)keys);
#endif
    }
    WEFT_INLINE vf round(vf v) {
#if defined(__aarch64__)
        return round_bf16(v);
#else
        return as_float(widen((vh)_mm512_cvtneps_pbh((__m512)v)) << 16);
#endif
    }
};
typedef Pairs Narrow;
#else
typedef Widened Narrow;
#endif

struct Problem {
    const weft_operand *in;
    int64_t top_k;
    int64_t ratio;
    int64_t rows;
    int64_t heads;
    int64_t tiled_heads;
    int64_t width;
    int64_t words;     // of a query or key, padded
    int64_t capacity;  // entries that a page list can hold
};

template <class F>
Problem problem(const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.top_k = attributes[0];
    p.ratio = attributes[1];
    p.rows = in[Q].dims[0];
    p.heads = in[Q].dims[1];
    p.tiled_heads = padded(p.heads, HEAD_TILE);
    p.width = in[Q].dims[2];
    p.words = padded(ceil_div(p.width, F::ELEMENTS), VECTOR_PAD);
    p.capacity = in[PAGES].dims[1] * in[KEYS].dims[1];
    return p;
}

int64_t visible(const Problem &p, int64_t row) {
    return least((at(p.in[POSITIONS], row) + 1) / p.ratio, p.capacity);
}

// ---- scratch memory: a wave's rows and groups, the rows' scores and queries, then per thread a block of columns ----

/** Consecutive rows of one sequence among the rows of a wave. */
struct Group {
    int64_t first;
    int64_t count;
    int64_t visible;  // entries that any of them sees
    const int32_t *pages;
};

struct Wave {
    int64_t *rows;
    Group *groups;
    uint32_t *scores;   // [rows][score_stride]
    uint32_t *queries;  // [rows][query_words]
    uint32_t *columns;  // [threads][column_words]
    int64_t row_count;
    int64_t group_count;
};

/** Rows of a wave: one group at least, and one row for each thread's selection. */
int64_t wave_rows(int32_t threads) {
    return threads > ROW_GROUP ? threads : ROW_GROUP;
}

int64_t wave_bytes(int32_t threads) {
    return padded(wave_rows(threads) * (int64_t)(sizeof(int64_t) + sizeof(Group)), CACHE_LINE);
}

int64_t score_stride(const Problem &p) {
    return padded(p.capacity, BLOCK_ENTRIES);
}

int64_t query_words(const Problem &p) {
    return p.tiled_heads * p.words;
}

int64_t column_words(const Problem &p) {
    return p.words * BLOCK_ENTRIES;
}

/** Calls f(word, element, elements left) for each vector of words of a row; the last argument is mostly a constant. */
template <class F, class Body>
WEFT_INLINE void each_word_vector(int64_t width, const Body &f) {
    constexpr int64_t vector = W * F::ELEMENTS;
    int64_t at = 0;
    for (; at + vector <= width; at += vector) {
        f(at / F::ELEMENTS, at, vector);
    }
    if (at < width) {
        f(at / F::ELEMENTS, at, width - at);
    }
}

/** Blocks of `half` lanes of a and b in turn: the even blocks (upper = 0) or the odd ones (upper = 1). */
template <int half, int upper>
WEFT_INLINE vu interleave(vu a, vu b) {
    vi lanes;
    for (int i = 0; i < W; i++) {
        const int lane = i / (2 * half) * 2 * half + i % half + upper * half;
        lanes[i] = i % (2 * half) < half ? lane : W + lane;
    }
    return __builtin_shuffle(a, b, lanes);
}

/** Transposes a W x W matrix: exchanges quadrants, then quadrants of the quadrants. */
template <int half>
WEFT_INLINE void transpose(vu *v) {
    if constexpr (half > 0) {
        for (int i = 0; i < W; i++) {
            if ((i & half) == 0) {
                const vu a = v[i];
                const vu b = v[i + half];
                v[i] = interleave<half, 0>(a, b);
                v[i + half] = interleave<half, 1>(a, b);
            }
        }
        transpose<half / 2>(v);
    }
}

/** Addresses of keys [first, first + n) in a paged cache; places behind n repeat the last. */
template <class T>
void find_keys(const weft_operand &cache, const int32_t *pages, int64_t first, int64_t n, const T **keys) {
    const int64_t per_page = cache.dims[1];
    const int32_t *page = pages + first / per_page;
    int64_t index = first % per_page;
    for (int64_t i = 0; i < BLOCK_ENTRIES; i++) {
        keys[i] = i < n ? row_of<const T>(cache, *page, index) : keys[i - 1];
        if (++index == per_page) {
            index = 0;
            page++;
        }
    }
}

/** Keys [first, first + n) as columns [words][BLOCK_ENTRIES]; what the columns behind n hold is of no use. */
template <class F>
void transpose_keys(const Problem &p, const int32_t *pages, int64_t first, int64_t n, uint32_t *to) {
    const typename F::Element *keys[BLOCK_ENTRIES];
    find_keys(p.in[KEYS], pages, first, n, keys);
    for (int64_t j = 0; j < BLOCK_ENTRIES; j += W) {
        each_word_vector<F>(p.width, [&](int64_t c, int64_t at, int64_t left) __attribute__((always_inline)) {
            vu square[W];
            for (int i = 0; i < W; i++) {
                square[i] = F::load_words(keys[j + i] + at, left);
            }
            transpose<W / 2>(square);
            for (int i = 0; i < W; i++) {
                __builtin_memcpy(to + (c + i) * BLOCK_ENTRIES + j, &square[i], sizeof square[i]);
            }
        });
    }
}

/** The heads of a row as words [tiled_heads][words]. */
template <class F>
void load_query(const Problem &p, int64_t row, uint32_t *to) {
    for (int64_t h = 0; h < p.heads; h++) {
        const auto *head = row_of<const typename F::Element>(p.in[Q], row, h);
        each_word_vector<F>(p.width, [&](int64_t c, int64_t at, int64_t left) __attribute__((always_inline)) {
            const vu words = F::load_words(head + at, left);
            __builtin_memcpy(to + h * p.words + c, &words, sizeof words);
        });
    }
    // the last tile computes with heads that do not exist, and drops them
    __builtin_memset(to + p.heads * p.words, 0, (uint64_t)((p.tiled_heads - p.heads) * p.words) * 4);
}

/** Adds the terms of up to HEAD_TILE heads to the scores of VECTOR_TILE vectors of entries, heads ascending. */
template <class F>
WEFT_INLINE void add_heads(const Problem &p, const uint32_t *query, const typename F::Element *weights, int64_t heads,
                           const uint32_t *keys, vf *scores) {
    const int64_t words = ceil_div(p.width, F::ELEMENTS);
    vf dots[HEAD_TILE][VECTOR_TILE] = {};
#pragma GCC unroll 4
    for (int64_t c = 0; c < words; c++) {
        vu k[VECTOR_TILE];
        for (int v = 0; v < VECTOR_TILE; v++) {
            k[v] = load_u32(keys + c * BLOCK_ENTRIES + v * W);
        }
        for (int h = 0; h < HEAD_TILE; h++) {
            for (int v = 0; v < VECTOR_TILE; v++) {
                dots[h][v] = F::multiply_add(query[h * p.words + c], k[v], dots[h][v]);
            }
        }
    }
    for (int64_t h = 0; h < HEAD_TILE && h < heads; h++) {
        const float weight = load_one(weights + h);
        for (int v = 0; v < VECTOR_TILE; v++) {
            const vf positive = max(vf{}, F::round(dots[h][v]));  // keeps NaN
            scores[v] += F::round(positive * weight);
        }
    }
}

/** Signed integers in the order of the scores: equal zeros, NaN lowest. */
WEFT_INLINE vi order(vf score) {
    const vi bits = (vi)as_bits(score + 0.0f);  // -0 becomes 0
    const vi ordered = bits ^ (vi)((vu)(bits >> 31) >> 1);
    return score != score ? vi{} + INT32_MIN : ordered;
}

/** Scores BLOCK_ENTRIES columns for one row, as ordered integers. */
template <class F>
void score_block(const Problem &p, int64_t row, const uint32_t *query, const uint32_t *keys, uint32_t *to) {
    const auto *weights = row_of<const typename F::Element>(p.in[WEIGHTS], row);
    for (int64_t e = 0; e < BLOCK_ENTRIES; e += VECTOR_TILE * W) {
        vf scores[VECTOR_TILE] = {};
        for (int64_t h = 0; h < p.heads; h += HEAD_TILE) {
            add_heads<F>(p, query + h * p.words, weights + h, p.heads - h, keys + e, scores);
        }
        for (int v = 0; v < VECTOR_TILE; v++) {
            const vi ordered = order(F::round(scores[v]));
            __builtin_memcpy(to + e + v * W, &ordered, sizeof ordered);
        }
    }
}

/** Scores entries [first, last) of the rows of a group; `first` is a multiple of BLOCK_ENTRIES. */
template <class F>
void score_group(const Problem &p, const Wave &wave, const Group &group, int64_t first, int64_t last,
                 uint32_t *keys) {
    for (int64_t block = first; block < last; block += BLOCK_ENTRIES) {
        transpose_keys<F>(p, group.pages, block, least(BLOCK_ENTRIES, last - block), keys);
        for (int64_t i = group.first; i < group.first + group.count; i++) {
            score_block<F>(p, wave.rows[i], wave.queries + i * query_words(p), keys,
                           wave.scores + i * score_stride(p) + block);
        }
    }
}

// ---- selection ----

/** The k-th greatest of n keys, and how many keys that equal it belong to the k greatest. */
struct Threshold {
    int32_t key;
    int64_t equal;
};

WEFT_INLINE vi load_keys(const int32_t *keys, int64_t n) {
    vi v = vi{} + INT32_MIN;
    __builtin_memcpy(&v, keys, n >= W ? sizeof v : (uint64_t)n * 4);
    return v;
}

WEFT_INLINE int64_t sum_of_lanes(vi v) {
    int64_t sum = 0;
    for (int i = 0; i < W; i++) {
        sum += v[i];
    }
    return sum;
}

/** Counts the keys that reach each of three bounds. */
void count_above(const int32_t *keys, int64_t length, const int32_t *bounds, int64_t *counts) {
    vi reached[3] = {};
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vi v = load_keys(keys + j, n);
        for (int b = 0; b < 3; b++) {
            reached[b] -= v >= bounds[b];  // a true lane is -1
        }
    });
    for (int b = 0; b < 3; b++) {
        counts[b] = sum_of_lanes(reached[b]);
    }
}

/**
 * Finds the threshold two bits at a time, highest first: of the four keys that continue the bits found, the greatest
 * that at least k keys reach. Bounds are above the lowest key, so that lanes behind the row never count.
 */
Threshold threshold(const int32_t *keys, int64_t length, int64_t k) {
    uint32_t found = 0;
    int64_t above = 0;  // keys greater than all that begin with `found`
    for (int shift = 30; shift >= 0; shift -= 2) {
        int32_t bounds[3];
        int64_t counts[3];
        for (uint32_t b = 0; b < 3; b++) {
            bounds[b] = (int32_t)((found | (b + 1) << shift) ^ 0x80000000u);
        }
        count_above(keys, length, bounds, counts);
        uint32_t digit = 3;
        while (digit > 0 && counts[digit - 1] < k) {
            above = counts[--digit];
        }
        found |= digit << shift;
    }
    return {(int32_t)(found ^ 0x80000000u), k - above};
}

void pick_all(const Problem &p, int64_t n, int32_t *to) {
    for (int64_t j = 0; j < p.top_k; j++) {
        to[j] = j < n ? (int32_t)j : -1;
    }
}

/** Columns of the k greatest of more than k keys, ascending. */
void pick_best(const int32_t *keys, int64_t length, int64_t k, int32_t *to) {
    Threshold t = threshold(keys, length, k);
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vi v = load_keys(keys + j, n);
        uint32_t picked = lane_bits(v > t.key);
        uint32_t equal = lane_bits(v == t.key) & ((1u << n) - 1);
        for (; equal != 0 && t.equal > 0; equal &= equal - 1, t.equal--) {
            picked |= equal & -equal;
        }
        for (; picked != 0; picked &= picked - 1) {
            *to++ = (int32_t)j + __builtin_ctz(picked);
        }
    });
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
template <class F>
void next_wave(const Problem &p, int64_t &row, int64_t most, Wave &wave) {
    wave.row_count = 0;
    wave.group_count = 0;
    int64_t sequence = -1;
    for (; row < p.rows && wave.row_count < most; row++) {
        if (!needs_scores(p, row)) {
            continue;
        }
        const int64_t s = sequence_of(p.in[STARTS], row);
        if (wave.group_count == 0 || s != sequence || wave.groups[wave.group_count - 1].count == ROW_GROUP) {
            wave.groups[wave.group_count++] = {wave.row_count, 0, 0, row_of<const int32_t>(p.in[PAGES], s)};
            sequence = s;
        }
        Group &group = wave.groups[wave.group_count - 1];
        group.count++;
        group.visible = visible(p, row) > group.visible ? visible(p, row) : group.visible;
        load_query<F>(p, row, wave.queries + wave.row_count * query_words(p));
        wave.rows[wave.row_count++] = row;
    }
}

/** Entries of an item: whole blocks, more of them where groups are small. */
int64_t chunk_entries(const Problem &p, const Wave &wave) {
    const int64_t rows = ceil_div(wave.row_count, wave.group_count);
    const int64_t products = rows * p.heads * p.width * BLOCK_ENTRIES;
    return BLOCK_ENTRIES * ceil_div(GRAIN_PRODUCTS, products + 1);
}

template <class F>
void score_wave(const Problem &p, const Wave &wave, Pool &pool) {
    const int64_t entries = chunk_entries(p, wave);
    int64_t most = 0;
    for (int64_t g = 0; g < wave.group_count; g++) {
        most = wave.groups[g].visible > most ? wave.groups[g].visible : most;
    }
    const int64_t chunks = ceil_div(most, entries);
    pool.parallel_for(wave.group_count * chunks, [&](int64_t item, int32_t thread) {
        const Group &group = wave.groups[item / chunks];
        const int64_t first = item % chunks * entries;
        const int64_t last = least(first + entries, group.visible);
        if (first < last) {
            score_group<F>(p, wave, group, first, last, wave.columns + thread * column_words(p));
        }
    });
}

template <class F>
void run_typed(const weft_command &command, Pool &pool) {
    const Problem p = problem<F>(command.attributes, command.operands);
    const int64_t most = wave_rows(pool.threads());
    Wave wave = {};
    wave.rows = static_cast<int64_t *>(command.workspace);
    wave.groups = (Group *)(wave.rows + most);
    wave.scores = (uint32_t *)((uint8_t *)command.workspace + wave_bytes(pool.threads()));
    wave.queries = wave.scores + most * score_stride(p);
    wave.columns = wave.queries + most * query_words(p);
    pick_without_scores(p, pool);
    for (int64_t row = 0; row < p.rows;) {
        next_wave<F>(p, row, most, wave);
        if (wave.row_count == 0) {
            return;
        }
        score_wave<F>(p, wave, pool);
        const int64_t grain = row_grain(SELECTION_COST * p.capacity);
        pool.parallel_ranges(wave.row_count, grain, [&](int64_t begin, int64_t end, int32_t) {
            for (int64_t i = begin; i < end; i++) {
                pick_best((const int32_t *)(wave.scores + i * score_stride(p)), visible(p, wave.rows[i]), p.top_k,
                          row_of<int32_t>(p.in[OUT], wave.rows[i]));
            }
        });
    }
}

void run(const weft_command &command, Pool &pool) {
    if (command.operands[Q].dtype == WEFT_BF16) {
        run_typed<Narrow>(command, pool);
    } else {
        run_typed<Singles>(command, pool);
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
    const Problem p = operands[Q].dtype == WEFT_BF16 ? problem<Narrow>(attributes, operands)
                                                     : problem<Singles>(attributes, operands);
    const int64_t words = wave_rows(threads) * (score_stride(p) + query_words(p)) + threads * column_words(p);
    return wave_bytes(threads) + words * 4;
}

}  // namespace

void register_index(KernelEntry *table) {
    table[WEFT_LIGHTNING_INDEX] = {run, "lightning_index", unsupported, workspace, nullptr};
}

}  // namespace weft::WEFT_ISA

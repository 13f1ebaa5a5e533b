// Compress: the rows of each finished block are pooled into its cache entry, cut by channels where a block has many
// rows; then a thread takes an entry and finishes it in place.
#include "isa/op_rows.h"
#include "isa/row_math.h"

namespace weft::WEFT_ISA {

namespace {

enum Operand { K, Z, APE, NORM, K_RING, Z_RING, CACHE, POSITIONS, STARTS, SLOTS, PAGES };
enum Form { FORM_PLAIN, FORM_FP8, FORM_HADAMARD, FORM_HADAMARD_FP4 };

/** Lanes per scale of the two narrow forms. */
constexpr int64_t FP8_BLOCK = 64;
constexpr int64_t FP4_BLOCK = 32;

/** Vectors of channels that pass over a block's rows together. */
constexpr int CHANNEL_TILE = 4;
/** An exponential and the loads of a term in copied elements. */
constexpr int64_t TERM_COST = 4;
/** Norm, rotation and rounding of an element in copied elements. */
constexpr int64_t FINISH_COST = 8;
/** Channels of an item where whole blocks would be too few: whole tiles at every width of vectors. */
constexpr int64_t FEW_CHANNELS = 64;

struct Problem {
    const weft_operand *in;
    int64_t ratio;
    bool overlap;
    int64_t rotary_lanes;
    const float *frequencies;
    float eps;
    int64_t form;
    int64_t width;
    int64_t sequences;
    int64_t most_rows;  // rows of one entry
};

Problem problem(const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.ratio = attributes[0];
    p.overlap = attributes[1] != 0;
    p.rotary_lanes = attributes[2];
    p.frequencies = (const float *)(intptr_t)attributes[3];
    p.eps = real_attribute(attributes[5]);
    p.form = attributes[6];
    p.width = in[CACHE].dims[2];
    p.sequences = in[STARTS].dims[0] - 1;
    p.most_rows = p.overlap ? 2 * p.ratio : p.ratio;
    return p;
}

/** One row of an entry's softmax, at the first of its channels. */
struct Source {
    const float *k;
    const float *z;
    const float *ape;
};

/** A block of a sequence that ends in the step. */
struct Block {
    Sequence sequence;
    int64_t slot;
    int64_t index;
    const int32_t *pages;
};

// ---- scratch memory: blocks before each sequence, then per thread sources, rotary table and Hadamard buffer ----

int64_t prefix_bytes(const Problem &p) {
    return padded((p.sequences + 1) * 8, CACHE_LINE);
}

int64_t source_bytes(const Problem &p) {
    return padded(p.most_rows * (int64_t)sizeof(Source), CACHE_LINE);
}

int64_t thread_bytes(const Problem &p) {
    return source_bytes(p) + padded((2 * p.rotary_lanes + hadamard_scratch(p.width)) * 4, CACHE_LINE);
}

/** Blocks that end in the step, before each sequence and in all. */
void count_blocks(const Problem &p, int64_t *before) {
    before[0] = 0;
    for (int64_t b = 0; b < p.sequences; b++) {
        const Sequence s = sequence(p.in[POSITIONS], p.in[STARTS], b);
        const int64_t blocks = (s.position + s.end - s.begin) / p.ratio - s.position / p.ratio;
        before[b + 1] = before[b] + blocks;
    }
}

/** The sequence of an item: the last one with no more than `item` blocks before it. */
int64_t sequence_of_item(const int64_t *before, int64_t sequences, int64_t item) {
    int64_t low = 0;
    int64_t high = sequences;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (before[middle] <= item) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

Block block_of_item(const Problem &p, const int64_t *before, int64_t item) {
    const int64_t b = sequence_of_item(before, p.sequences, item);
    const Sequence s = sequence(p.in[POSITIONS], p.in[STARTS], b);
    return {s, at(p.in[SLOTS], b), s.position / p.ratio + item - before[b], row_of<const int32_t>(p.in[PAGES], b)};
}

/** Appends the rows of block `index`, from `channel` on, and returns the new number of sources. */
int64_t add_rows(const Problem &p, const Block &block, int64_t index, int64_t channel, Source *sources,
                 int64_t count) {
    for (int64_t t = 0; t < p.ratio; t++) {
        const int64_t position = index * p.ratio + t;
        Source &source = sources[count++];
        source.k = step_or_ring<float>(p.in[K], p.in[K_RING], block.sequence, block.slot, position) + channel;
        source.z = step_or_ring<float>(p.in[Z], p.in[Z_RING], block.sequence, block.slot, position) + channel;
        source.ape = row_of<const float>(p.in[APE], t) + channel;
    }
    return count;
}

/** Softmax over the sources and weighted sum, for `vectors` vectors of channels; the last has n lanes. */
template <int vectors, class T>
WEFT_INLINE void pool_tile(const Source *sources, int64_t count, int64_t channel, int64_t n, T *entry) {
    const auto lanes = [&](const float *row, int v) __attribute__((always_inline)) {
        return load_upto(row + channel + v * W, vectors == 1 ? n : W);
    };
    vf most[vectors];
    vf sum[vectors] = {};
    vf weighted[vectors] = {};
    for (int v = 0; v < vectors; v++) {
        most[v] = broadcast(-__builtin_inff());
    }
    for (int64_t r = 0; r < count; r++) {
        for (int v = 0; v < vectors; v++) {
            most[v] = max(most[v], lanes(sources[r].z, v) + lanes(sources[r].ape, v));
        }
    }
    for (int64_t r = 0; r < count; r++) {
        for (int v = 0; v < vectors; v++) {
            const vf e = exp(lanes(sources[r].z, v) + lanes(sources[r].ape, v) - most[v]);
            sum[v] += e;
            weighted[v] = fma(e, lanes(sources[r].k, v), weighted[v]);
        }
    }
    for (int v = 0; v < vectors; v++) {
        store_upto(entry + channel + v * W, weighted[v] / sum[v], vectors == 1 ? n : W);
    }
}

/** Writes channels [begin, end) of an entry. */
template <class T>
void pool_channels(const Problem &p, const Block &block, int64_t begin, int64_t end, Source *sources) {
    int64_t count = 0;
    if (p.overlap && block.index > 0) {
        count = add_rows(p, block, block.index - 1, 0, sources, count);
    }
    count = add_rows(p, block, block.index, p.overlap ? p.width : 0, sources, count);
    T *entry = entry_of<T>(p.in[CACHE], block.pages, block.index);
    int64_t c = begin;
    for (; c + CHANNEL_TILE * W <= end; c += CHANNEL_TILE * W) {
        pool_tile<CHANNEL_TILE>(sources, count, c, W, entry);
    }
    for (; c < end; c += W) {
        pool_tile<1>(sources, count, c, end - c, entry);
    }
}

/** Norm, rotation and form of an entry, in place. */
template <class T>
void finish_entry(const Problem &p, const Block &block, float *scratch) {
    T *entry = entry_of<T>(p.in[CACHE], block.pages, block.index);
    const int64_t plain = p.width - p.rotary_lanes;
    rms_norm_row(entry, p.in[NORM], entry, p.width, p.eps);
    rotary_table((float)(block.index * p.ratio), p.frequencies, p.rotary_lanes, scratch);
    rotate_lanes<false>(entry + plain, entry + plain, p.rotary_lanes, scratch);
    if (p.form == FORM_HADAMARD || p.form == FORM_HADAMARD_FP4) {
        hadamard_row(entry, entry, p.width, scratch + 2 * p.rotary_lanes);
    }
    if (p.form == FORM_FP8) {
        fake_quantize_lanes(entry, entry, plain, FP8_BLOCK, true);
    } else if (p.form == FORM_HADAMARD_FP4) {
        fake_quantize_lanes(entry, entry, p.width, FP4_BLOCK, false);
    }
}

template <class T>
void run_typed(const Problem &p, uint8_t *memory, Pool &pool) {
    auto *before = (int64_t *)memory;
    count_blocks(p, before);
    const int64_t blocks = p.sequences > 0 ? before[p.sequences] : 0;
    const auto sources = [&](int32_t thread) {
        return (Source *)(memory + prefix_bytes(p) + thread * thread_bytes(p));
    };
    const int64_t cost = TERM_COST * p.most_rows;  // of a channel
    const int64_t piece = cost * p.width > GRAIN_ELEMENTS ? FEW_CHANNELS : p.width;
    const int64_t pieces = ceil_div(p.width, piece);
    pool.parallel_ranges(blocks * pieces, row_grain(cost * piece), [&](int64_t begin, int64_t end, int32_t thread) {
        for (int64_t item = begin; item < end; item++) {
            const int64_t first = item % pieces * piece;
            pool_channels<T>(p, block_of_item(p, before, item / pieces), first, least(first + piece, p.width),
                             sources(thread));
        }
    });
    pool.parallel_ranges(blocks, row_grain(FINISH_COST * p.width), [&](int64_t begin, int64_t end, int32_t thread) {
        for (int64_t item = begin; item < end; item++) {
            auto *scratch = (float *)((uint8_t *)sources(thread) + source_bytes(p));
            finish_entry<T>(p, block_of_item(p, before, item), scratch);
        }
    });
}

void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.attributes, command.operands);
    auto *memory = static_cast<uint8_t *>(command.workspace);
    if (p.in[CACHE].dtype == WEFT_BF16) {
        run_typed<bf16>(p, memory, pool);
    } else {
        run_typed<float>(p, memory, pool);
    }
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t) {
    if (!flows(operands[CACHE]) || !flows(operands[NORM])) {
        return "cache and norm must be F32 or BF16";
    }
    return operands[CACHE].dims[2] < 0 || operands[STARTS].dims[0] < 0
               ? "entry width and a bound on sequences must be known"
               : nullptr;
}

int64_t workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    const Problem p = problem(attributes, operands);
    return prefix_bytes(p) + threads * thread_bytes(p);
}

}  // namespace

void register_compress(KernelEntry *table) {
    table[WEFT_COMPRESS] = {run, "compress", unsupported, workspace, nullptr};
}

}  // namespace weft::WEFT_ISA

// Compress: a thread takes one finished block of one sequence and turns its rows into a cache entry.
#include "isa/op_rows.h"

namespace weft::WEFT_ISA {

namespace {

enum Operand { K, Z, APE, NORM, K_RING, Z_RING, CACHE, POSITIONS, STARTS, SLOTS, PAGES };
enum Form { FORM_PLAIN, FORM_FP8, FORM_HADAMARD, FORM_HADAMARD_FP4 };

/** Vectors of channels that pass over a block's rows together. */
constexpr int CHANNEL_TILE = 2;

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

// ---- scratch memory: blocks before each sequence, then per thread the sources and the entry ----

int64_t prefix_bytes(const Problem &p) {
    return padded((p.sequences + 1) * 8, CACHE_LINE);
}

int64_t source_bytes(const Problem &p) {
    return padded(p.most_rows * (int64_t)sizeof(Source), CACHE_LINE);
}

int64_t thread_bytes(const Problem &p) {
    return source_bytes(p) + padded(p.width, VECTOR_PAD) * 4;
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

/** Appends the rows of a block, from `channel` on, and returns the new number of sources. */
int64_t add_rows(const Problem &p, const Sequence &s, int64_t slot, int64_t block, int64_t channel, Source *sources,
                 int64_t count) {
    for (int64_t t = 0; t < p.ratio; t++) {
        const int64_t position = block * p.ratio + t;
        Source &source = sources[count++];
        source.k = step_or_ring<float>(p.in[K], p.in[K_RING], s, slot, position) + channel;
        source.z = step_or_ring<float>(p.in[Z], p.in[Z_RING], s, slot, position) + channel;
        source.ape = row_of<const float>(p.in[APE], t) + channel;
    }
    return count;
}

/** Softmax over the sources and weighted sum, for channels that do not depend on each other. */
template <class T>
void pool_rows(const Problem &p, const Source *sources, int64_t count, float *entry) {
    for (int64_t c = 0; c < p.width; c += CHANNEL_TILE * W) {
        vf most[CHANNEL_TILE];
        vf sum[CHANNEL_TILE] = {};
        vf weighted[CHANNEL_TILE] = {};
        const int64_t vectors = least(CHANNEL_TILE, ceil_div(p.width - c, W));
        for (int64_t v = 0; v < vectors; v++) {
            const int64_t at = c + v * W;
            most[v] = broadcast(-__builtin_inff());
            for (int64_t r = 0; r < count; r++) {
                const int64_t n = p.width - at;
                most[v] = max(most[v], load_upto(sources[r].z + at, n) + load_upto(sources[r].ape + at, n));
            }
        }
        for (int64_t r = 0; r < count; r++) {
            for (int64_t v = 0; v < vectors; v++) {
                const int64_t at = c + v * W;
                const int64_t n = p.width - at;
                const vf z = load_upto(sources[r].z + at, n) + load_upto(sources[r].ape + at, n);
                const vf e = exp(z - most[v]);
                sum[v] += e;
                weighted[v] = fma(e, load_upto(sources[r].k + at, n), weighted[v]);
            }
        }
        for (int64_t v = 0; v < vectors; v++) {
            const int64_t at = c + v * W;
            store_upto(entry + at, round_to<T>(weighted[v] / sum[v]), p.width - at);
        }
    }
}

template <class T, class N>
void normalize(const Problem &p, float *entry) {
    auto *weights = static_cast<const N *>(p.in[NORM].data);
    vf squares = {};
    for (int64_t c = 0; c < p.width; c += W) {
        const vf v = load_upto(entry + c, p.width - c);
        squares = fma(v, v, squares);
    }
    const float factor = 1.0f / __builtin_sqrtf(hsum(squares) / (float)p.width + p.eps);
    for (int64_t c = 0; c < p.width; c += W) {
        const int64_t n = p.width - c;
        const vf v = load_upto(weights + c, n) * (load_upto(entry + c, n) * factor);
        store_upto(entry + c, round_to<T>(v), n);
    }
}

template <class T>
void rotate(const Problem &p, int64_t position, float *entry) {
    float *lanes = entry + p.width - p.rotary_lanes;
    for (int64_t i = 0; i < p.rotary_lanes / 2; i++) {
        // the model was trained with angles rounded to F32
        const float angle = (float)position * p.frequencies[i];
        const float cosine = (float)__builtin_cos(angle);
        const float sine = (float)__builtin_sin(angle);
        const float x = lanes[2 * i];
        const float y = lanes[2 * i + 1];
        lanes[2 * i] = round_to<T>(x * cosine - y * sine);
        lanes[2 * i + 1] = round_to<T>(x * sine + y * cosine);
    }
}

template <class T>
void hadamard(float *entry, int64_t width) {
    for (int64_t half = 1; half < width; half *= 2) {
        for (int64_t i = 0; i < width; i += 2 * half) {
            for (int64_t j = i; j < i + half; j++) {
                const float a = entry[j];
                const float b = entry[j + half];
                entry[j] = a + b;
                entry[j + half] = a - b;
            }
        }
    }
    const float scale = (float)(1 / __builtin_sqrt((double)width));
    for (int64_t j = 0; j < width; j++) {
        entry[j] = round_to<T>(entry[j] * scale);
    }
}

struct Fp8 {
    static constexpr int64_t BLOCK = 64;
    static constexpr float LEAST = 1e-4f;
    static constexpr float INVERSE_MAXIMUM = 1.0f / 448;
    WEFT_INLINE vf round(vf v) {
        return decode_e4m3(encode_e4m3(v));
    }
};

struct Fp4 {
    static constexpr int64_t BLOCK = 32;
    static constexpr float LEAST = 6 * 0x1p-126f;
    static constexpr float INVERSE_MAXIMUM = 1.0f / 6;
    WEFT_INLINE vf round(vf v) {
        return decode_e2m1(encode_e2m1(v));
    }
};

/** Rounds blocks of lanes to a narrow format with a power of two as scale, and back. */
template <class T, class Format>
void fake_quantize(float *entry, int64_t lanes) {
    for (int64_t from = 0; from < lanes; from += Format::BLOCK) {
        float *block = entry + from;
        vf most = broadcast(Format::LEAST);
        vi nan = {};
        for (int64_t c = 0; c < Format::BLOCK; c += W) {
            const vf v = load(block + c);
            most = max(abs(v), most);
            nan |= v != v;
        }
        float amax = hmax(most);
        for (int i = 0; i < W; i++) {
            amax = nan[i] ? __builtin_nanf("") : amax;
        }
        const float scale = e8m0_to_float(float_to_e8m0_ceiling(amax * Format::INVERSE_MAXIMUM));
        for (int64_t c = 0; c < Format::BLOCK; c += W) {
            store(block + c, round_to<T>(Format::round(load(block + c) / scale) * scale));
        }
    }
}

template <class T>
void build_entry(const Problem &p, int64_t b, int64_t block, uint8_t *memory) {
    auto *sources = (Source *)memory;
    auto *entry = (float *)(memory + source_bytes(p));
    const Sequence s = sequence(p.in[POSITIONS], p.in[STARTS], b);
    const int64_t slot = at(p.in[SLOTS], b);
    int64_t count = 0;
    if (p.overlap && block > 0) {
        count = add_rows(p, s, slot, block - 1, 0, sources, count);
    }
    count = add_rows(p, s, slot, block, p.overlap ? p.width : 0, sources, count);
    pool_rows<T>(p, sources, count, entry);
    if (p.in[NORM].dtype == WEFT_BF16) {
        normalize<T, uint16_t>(p, entry);
    } else {
        normalize<T, float>(p, entry);
    }
    rotate<T>(p, block * p.ratio, entry);
    if (p.form == FORM_HADAMARD || p.form == FORM_HADAMARD_FP4) {
        hadamard<T>(entry, p.width);
    }
    if (p.form == FORM_FP8) {
        fake_quantize<T, Fp8>(entry, p.width - p.rotary_lanes);
    } else if (p.form == FORM_HADAMARD_FP4) {
        fake_quantize<T, Fp4>(entry, p.width);
    }
    T *to = entry_of<T>(p.in[CACHE], row_of<const int32_t>(p.in[PAGES], b), block);
    for (int64_t c = 0; c < p.width; c += W) {
        store_upto(to + c, load_upto(entry + c, p.width - c), p.width - c);
    }
}

void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.attributes, command.operands);
    auto *memory = static_cast<uint8_t *>(command.workspace);
    auto *before = (int64_t *)memory;
    count_blocks(p, before);
    const bool narrow = p.in[CACHE].dtype == WEFT_BF16;
    pool.parallel_for(p.sequences > 0 ? before[p.sequences] : 0, [&](int64_t item, int32_t thread) {
        const int64_t b = sequence_of_item(before, p.sequences, item);
        const Sequence s = sequence(p.in[POSITIONS], p.in[STARTS], b);
        const int64_t block = s.position / p.ratio + item - before[b];
        uint8_t *scratch = memory + prefix_bytes(p) + thread * thread_bytes(p);
        if (narrow) {
            build_entry<uint16_t>(p, b, block, scratch);
        } else {
            build_entry<float>(p, b, block, scratch);
        }
    });
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

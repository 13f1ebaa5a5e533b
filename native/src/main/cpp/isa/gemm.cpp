// Gemm, GroupedGemm and ExpertGemm: all are a list of segments (consecutive rows that share one weight matrix), cut
// into blocks of rows and panels that threads take one by one.
#include "isa/gemm.h"

namespace weft::WEFT_ISA {

namespace gemm {

namespace {

enum Operand { X = 0, WEIGHT = 1, OFFSETS = 2 };

/** Panels of a block are a multiple of this: as many as the widest inner kernel takes at once. */
constexpr int64_t PANEL_GRAIN = 4;
constexpr int64_t MOST_PANELS = 64;
/** Blocks per thread that let the fast threads take over work of the slow ones. */
constexpr int64_t BLOCKS_PER_THREAD = 6;

/** Rows [first_row, first_row + rows) of one group of x, times one weight matrix. */
struct Segment {
    int64_t matrix;
    int64_t group;
    int64_t first_row;
    int64_t rows;
    int64_t first_item;
};

/** A call's operands with the leading axes of x split into `rows` at a pitch and `groups` that follow each other. */
struct Problem {
    const weft_operand *x;
    const weft_operand *w;
    const weft_operand *offsets;  // null unless experts
    const weft_operand *out;
    int64_t rows;
    int64_t groups;
    int64_t x_step;  // elements between rows
    int64_t out_step;
    int64_t most_segments;  // for any pitch
    bool matrix_per_group;
    int64_t n;
    int64_t k;
    BlockFn kernel;
    bool dot;
};

int64_t element_bytes(int64_t dtype) {
    return dtype == WEFT_F32 ? 4 : dtype == WEFT_BF16 ? 2 : 1;
}

Problem problem(int64_t op, const weft_operand *operands) {
    Problem p = {};
    p.x = &operands[X];
    p.w = &operands[WEIGHT];
    p.offsets = op == WEFT_EXPERT_GEMM ? &operands[OFFSETS] : nullptr;
    p.out = &operands[op == WEFT_EXPERT_GEMM ? 3 : 2];
    p.matrix_per_group = op == WEFT_GROUPED_GEMM;
    p.n = p.w->dims[p.w->rank - 2];
    p.k = p.w->dims[p.w->rank - 1];
    p.rows = p.x->dims[0];
    p.groups = 1;
    for (int64_t axis = 1; axis < p.x->rank - 1; axis++) {
        p.groups *= p.x->dims[axis];
    }
    p.most_segments = p.offsets != nullptr ? p.w->dims[0] : p.groups;
    p.x_step = p.x->pitch;
    p.out_step = p.out->pitch;
    bool tight = p.x_step == p.groups * p.k && p.out_step == p.groups * p.n;
    if (!p.matrix_per_group && p.groups > 1 && tight) {
        p.rows *= p.groups;
        p.groups = 1;
        p.x_step = p.k;
        p.out_step = p.n;
    }
    p.kernel = p.x->dtype == WEFT_F32 ? nullptr : dot_kernel(p.w->dtype);
    p.dot = p.kernel != nullptr;
    if (!p.dot) {
        p.kernel = float_kernel(p.w->dtype);
    }
    return p;
}

// ---- scratch memory: segments, then converted rows, then their scales ----

int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

/** Whether the inner kernel can read x in place. */
bool in_place(const Problem &p) {
    // lines of the dot kernel hold up to 8 K, and it reads x for all of them
    return p.dot ? p.x->dtype == WEFT_BF16 && p.k % 8 == 0 : p.x->dtype == WEFT_F32;
}

bool scaled(const Problem &p) {
    return p.x->dtype == WEFT_F8_E4M3;
}

/** Elements between converted rows: room for whole lines, and not a power of two, which would collide in the cache. */
int64_t converted_stride(const Problem &p) {
    int64_t line = p.dot ? 32 : 16;
    return round_up(p.k, line) + line;
}

struct Scratch {
    int64_t converted;
    int64_t scales;
    int64_t bytes;
};

Scratch scratch(const Problem &p) {
    Scratch s = {};
    s.converted = round_up(p.most_segments * (int64_t)sizeof(Segment), LINE);
    int64_t rows = p.rows * p.groups;
    int64_t row_bytes = in_place(p) ? 0 : converted_stride(p) * (p.dot ? 2 : 4);
    s.scales = s.converted + rows * row_bytes;
    s.bytes = s.scales + (scaled(p) ? round_up(rows * packing::ceil_div(p.k, CHUNK) * 4, LINE) : 0);
    return s;
}

// ---- activations ----

/** Value of E4M3 codes as F32 or BF16; both are exact. */
void convert_row(const Problem &p, const uint8_t *from, uint8_t *to) {
    const int64_t width = p.dot ? 2 : 4;
    for (int64_t k = 0; k < p.k; k += W) {
        const int64_t n = minimum(W, p.k - k);
        vf v;
        if (p.x->dtype == WEFT_BF16) {
            v = load_bf16_tail((const uint16_t *)from + k, n);
        } else {
            vb codes = {};
            __builtin_memcpy(&codes, from + k, (uint64_t)n);
            v = decode_e4m3(widen(codes));
        }
        // the stride leaves room for whole vectors; what lies behind K becomes zero
        if (p.dot) {
            store_bf16((uint16_t *)(to + k * width), v);
        } else {
            store((float *)(to + k * width), v);
        }
    }
}

/** Converts all rows of x unless the kernel reads them in place. */
Rows convert(const Problem &p, const Scratch &s, uint8_t *workspace, Pool &pool) {
    Rows rows = {p.x->data, p.x_step, nullptr, 0};
    if (in_place(p)) {
        return rows;
    }
    const int64_t width = p.dot ? 2 : 4;
    const int64_t bytes = element_bytes(p.x->dtype);
    const int64_t stride = converted_stride(p);
    const int64_t blocks = packing::ceil_div(p.k, CHUNK);
    auto *from = static_cast<const uint8_t *>(p.x->data);
    auto *codes = static_cast<const uint8_t *>(p.x->scale);
    auto *scales = (float *)(workspace + s.scales);
    uint8_t *to = workspace + s.converted;
    // a row costs about K / 8 cycles: items of some ten thousand elements are worth handing out
    const int64_t grain = 1 + 32768 / (p.k + 1);
    pool.parallel_ranges(p.rows * p.groups, grain, [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            int64_t at = i / p.groups * p.x_step + i % p.groups * p.k;
            convert_row(p, from + at * bytes, to + i * stride * width);
            for (int64_t b = 0; scaled(p) && b < blocks; b++) {
                scales[i * blocks + b] = e8m0_to_float(codes[i * blocks + b]);
            }
        }
    });
    rows.data = to;
    rows.stride = p.groups * stride;
    rows.scales = scaled(p) ? scales : nullptr;
    rows.scale_stride = p.groups * blocks;
    return rows;
}

/** The rows of one group from `first_row` on. */
Rows at(const Problem &p, Rows rows, int64_t group, int64_t first_row) {
    int64_t step = in_place(p) ? p.k : converted_stride(p);
    int64_t offset = first_row * rows.stride + group * step;
    rows.data = static_cast<const uint8_t *>(rows.data) + offset * (p.dot ? 2 : 4);
    if (rows.scales != nullptr) {
        rows.scales += first_row * rows.scale_stride + group * packing::ceil_div(p.k, CHUNK);
    }
    return rows;
}

// ---- segments ----

int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/** Fills the segments that have rows and returns their number. Offsets that point outside of x are cut off. */
int64_t segments(const Problem &p, Segment *to) {
    int64_t count = 0;
    if (p.offsets == nullptr) {
        for (int64_t g = 0; g < p.groups && p.rows > 0; g++) {
            to[count++] = {p.matrix_per_group ? g : 0, g, 0, p.rows, 0};
        }
        return count;
    }
    auto *offsets = static_cast<const int32_t *>(p.offsets->data);
    for (int64_t e = 0; e < p.w->dims[0]; e++) {
        int64_t begin = clamp(offsets[e], 0, p.rows);
        int64_t end = clamp(offsets[e + 1], begin, p.rows);
        if (end > begin) {
            to[count++] = {e, 0, begin, end - begin, 0};
        }
    }
    return count;
}

/** How segments are cut: items of a segment run over its row blocks first, so that threads share weights in cache. */
struct Cut {
    int64_t panels;  // per block
    int64_t panel_blocks;
    int64_t items;
};

Cut cut(const Problem &p, Segment *segments, int64_t count, int32_t threads) {
    int64_t row_blocks = 0;
    for (int64_t i = 0; i < count; i++) {
        row_blocks += packing::ceil_div(segments[i].rows, BLOCK_ROWS);
    }
    const int64_t panels = packing::ceil_div(p.n, ROWS);
    int64_t fair = row_blocks * panels / (threads * BLOCKS_PER_THREAD);
    Cut c = {};
    c.panels = clamp(round_up(fair, PANEL_GRAIN), PANEL_GRAIN, MOST_PANELS);
    c.panel_blocks = packing::ceil_div(panels, c.panels);
    for (int64_t i = 0; i < count; i++) {
        segments[i].first_item = c.items;
        c.items += packing::ceil_div(segments[i].rows, BLOCK_ROWS) * c.panel_blocks;
    }
    return c;
}

const Segment &segment_of(const Segment *segments, int64_t count, int64_t item) {
    int64_t low = 0;
    while (count - low > 1) {
        int64_t middle = low + (count - low) / 2;
        if (segments[middle].first_item <= item) {
            low = middle;
        } else {
            count = middle;
        }
    }
    return segments[low];
}

Block block(const Problem &p, const Rows &rows, const Segment &segment, const Cut &c, int64_t item) {
    const int64_t row_blocks = packing::ceil_div(segment.rows, BLOCK_ROWS);
    const int64_t local = item - segment.first_item;
    const int64_t panel = local / row_blocks * c.panels;
    // row blocks of nearly equal height: 65 rows are 33 + 32
    const int64_t part = local % row_blocks;
    const int64_t begin = segment.rows * part / row_blocks;
    const int64_t first_row = segment.first_row + begin;
    const int64_t column = panel * ROWS;
    Block b = {};
    b.panels = packing::matrix_at(*p.w, segment.matrix) + panel * packing::panel_bytes(p.w->dtype, p.k);
    b.columns = minimum(c.panels * ROWS, p.n - column);
    b.k = p.k;
    b.x = at(p, rows, segment.group, first_row);
    b.rows = segment.rows * (part + 1) / row_blocks - begin;
    b.out.pitch = p.out_step;
    b.out.dtype = p.out->dtype;
    int64_t offset = first_row * b.out.pitch + segment.group * p.n + column;
    b.out.data = static_cast<uint8_t *>(p.out->data) + offset * element_bytes(p.out->dtype);
    return b;
}

void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.op, command.operands);
    if (p.rows * p.groups * p.n == 0) {
        return;
    }
    const Scratch s = scratch(p);
    auto *workspace = static_cast<uint8_t *>(command.workspace);
    auto *list = reinterpret_cast<Segment *>(workspace);
    const int64_t count = segments(p, list);
    const Cut c = cut(p, list, count, pool.threads());
    const Rows rows = convert(p, s, workspace, pool);
    pool.parallel_for(c.items, [&](int64_t item, int32_t) {
        p.kernel(block(p, rows, segment_of(list, count, item), c, item));
    });
}

// ---- support ----

bool is_format(const weft_operand &operand, int64_t dtype, int64_t scale_rows, int64_t scale_columns) {
    return operand.dtype == dtype && operand.scaling == (scale_rows << 32 | scale_columns);
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t count) {
    const weft_operand &x = operands[X];
    const weft_operand &w = operands[WEIGHT];
    const weft_operand &out = operands[count - 1];
    if (!is_format(x, WEFT_F32, 0, 0) && !is_format(x, WEFT_BF16, 0, 0) && !is_format(x, WEFT_F8_E4M3, 1, 128)) {
        return "x must be F32, BF16 or F8_E4M3 with scales per 1x128";
    }
    if (!is_format(w, WEFT_F32, 0, 0) && !is_format(w, WEFT_BF16, 0, 0) && !is_format(w, WEFT_F8_E4M3, 128, 128) &&
        !is_format(w, WEFT_F4_E2M1, 1, 32)) {
        return "w must be F32, BF16, F8_E4M3 with scales per 128x128 or F4_E2M1 with scales per 1x32";
    }
    if (w.dims[w.rank - 1] < 0 || w.dims[w.rank - 2] < 0) {
        return "the extents of w must be known";
    }
    if (out.dtype != WEFT_F32 && out.dtype != WEFT_BF16) {
        return "the result must be F32 or BF16";
    }
    return nullptr;
}

template <int OP>
int64_t workspace(const int64_t *, const weft_operand *operands, int64_t, int32_t) {
    return scratch(problem(OP, operands)).bytes;
}

const char *variant(const weft_operand *operands, int64_t) {
    switch (operands[WEIGHT].dtype) {
        case WEFT_F32:
            return "f32_gemm";
        case WEFT_BF16:
            return "bf16_gemm";
        case WEFT_F8_E4M3:
            return "fp8_gemm";
        default:
            return "mxfp4_gemm";
    }
}

}  // namespace

}  // namespace gemm

void register_gemm(KernelEntry *table) {
    using namespace gemm;
    table[WEFT_GEMM] = {gemm::run, "gemm", unsupported, workspace<WEFT_GEMM>, variant};
    table[WEFT_GROUPED_GEMM] = {gemm::run, "grouped_gemm", unsupported, workspace<WEFT_GROUPED_GEMM>, variant};
    table[WEFT_EXPERT_GEMM] = {gemm::run, "expert_gemm", unsupported, workspace<WEFT_EXPERT_GEMM>, variant};
}

}  // namespace weft::WEFT_ISA

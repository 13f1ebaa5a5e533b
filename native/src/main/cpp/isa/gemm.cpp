// Gemm, GroupedGemm and ExpertGemm: all are a list of segments (consecutive rows that share one weight matrix), cut
// into blocks of rows and panels that threads take one by one.
#include "isa/gemm.h"
#include "isa/gemm_rows.h"

namespace weft::WEFT_ISA {

namespace gemm {

namespace {

enum Operand { X = 0, WEIGHT = 1, OFFSETS = 2 };

/** Panels of a block are a multiple of this: as many as the widest inner kernel takes at once. */
constexpr int64_t PANEL_GRAIN = 4;
constexpr int64_t MOST_PANELS = 64;
/** Blocks per thread that let the fast threads take over work of the slow ones. */
constexpr int64_t BLOCKS_PER_THREAD = 6;
/** The same where weights are read once from memory: long blocks make streams that lie far apart. */
constexpr int64_t STREAMED_BLOCKS_PER_THREAD = 2;

/** Rows [first_row, first_row + rows) of one group of x, times one weight matrix. */
struct Segment {
    int64_t matrix;
    int64_t group;
    int64_t first_row;
    int64_t rows;
    int64_t first_block;  // row blocks of the segments before
};

/** A call's operands with the leading axes of x split into rows at a pitch and groups that follow each other. */
struct Problem {
    Source x;
    const weft_operand *w;
    const weft_operand *offsets;  // null unless experts
    const weft_operand *out;
    int64_t out_step;       // elements between rows
    int64_t most_segments;  // for any pitch
    bool matrix_per_group;
    int64_t n;
    int64_t k;
    BlockFn kernel;
};

Problem problem(int64_t op, const weft_operand *operands) {
    const weft_operand &x = operands[X];
    Problem p = {};
    p.w = &operands[WEIGHT];
    p.offsets = op == WEFT_EXPERT_GEMM ? &operands[OFFSETS] : nullptr;
    p.out = &operands[op == WEFT_EXPERT_GEMM ? 3 : 2];
    p.matrix_per_group = op == WEFT_GROUPED_GEMM;
    p.n = p.w->dims[p.w->rank - 2];
    p.k = p.w->dims[p.w->rank - 1];
    auto *codes = x.dtype == WEFT_F8_E4M3 ? static_cast<const uint8_t *>(x.scale) : nullptr;
    p.x = {static_cast<const uint8_t *>(x.data), codes, x.dtype, x.dims[0], 1, x.pitch, p.k, false};
    for (int64_t axis = 1; axis < x.rank - 1; axis++) {
        p.x.groups *= x.dims[axis];
    }
    p.most_segments = p.offsets != nullptr ? p.w->dims[0] : p.x.groups;
    p.out_step = p.out->pitch;
    bool tight = p.x.step == p.x.groups * p.k && p.out_step == p.x.groups * p.n;
    if (!p.matrix_per_group && p.x.groups > 1 && tight) {
        p.x.rows *= p.x.groups;
        p.x.groups = 1;
        p.x.step = p.k;
        p.out_step = p.n;
    }
    p.kernel = dot_kernel(x.dtype, p.w->dtype);
    p.x.dot = p.kernel != nullptr;
    if (!p.x.dot) {
        p.kernel = float_kernel(p.w->dtype);
    }
    return p;
}

int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

/** Bytes of the segments, which precede the converted rows in the workspace. */
int64_t segments_bytes(const Problem &p) {
    return round_up(p.most_segments * (int64_t)sizeof(Segment), LINE);
}

// ---- segments ----

int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/** Fills the segments that have rows and returns their number. Offsets that point outside of x are cut off. */
int64_t segments(const Problem &p, Segment *to) {
    int64_t count = 0;
    if (p.offsets == nullptr) {
        for (int64_t g = 0; g < p.x.groups && p.x.rows > 0; g++) {
            to[count++] = {p.matrix_per_group ? g : 0, g, 0, p.x.rows, 0};
        }
        return count;
    }
    auto *offsets = static_cast<const int32_t *>(p.offsets->data);
    for (int64_t e = 0; e < p.w->dims[0]; e++) {
        int64_t begin = clamp(offsets[e], 0, p.x.rows);
        int64_t end = clamp(offsets[e + 1], begin, p.x.rows);
        if (end > begin) {
            to[count++] = {e, 0, begin, end - begin, 0};
        }
    }
    return count;
}

/** How a call is cut into items. */
struct Cut {
    int64_t row_blocks;
    int64_t panels;  // per item
    int64_t panel_blocks;
};

int64_t row_blocks(const Segment &segment) {
    return packing::ceil_div(segment.rows, BLOCK_ROWS);
}

Cut cut(const Problem &p, Segment *segments, int64_t count, int32_t threads) {
    Cut c = {};
    bool streamed = true;
    for (int64_t i = 0; i < count; i++) {
        streamed &= segments[i].rows <= DOT_TILE;
        segments[i].first_block = c.row_blocks;
        c.row_blocks += row_blocks(segments[i]);
    }
    const int64_t panels = packing::ceil_div(p.n, ROWS);
    const int64_t blocks = threads * (streamed ? STREAMED_BLOCKS_PER_THREAD : BLOCKS_PER_THREAD);
    const int64_t fair = c.row_blocks * panels / blocks;
    c.panels = clamp(round_up(fair, PANEL_GRAIN), PANEL_GRAIN, MOST_PANELS);
    c.panel_blocks = packing::ceil_div(panels, c.panels);
    return c;
}

/** The last segment that begins at or before a row block. */
const Segment &segment_of(const Segment *segments, int64_t count, int64_t row_block) {
    int64_t low = 0;
    while (count - low > 1) {
        int64_t middle = low + (count - low) / 2;
        if (segments[middle].first_block <= row_block) {
            low = middle;
        } else {
            count = middle;
        }
    }
    return segments[low];
}

struct RowRange {
    int64_t first;
    int64_t count;
};

/** Rows of part i of a segment: blocks of nearly equal height, 65 rows are 33 + 32. */
RowRange row_range(const Segment &segment, int64_t i) {
    const int64_t parts = row_blocks(segment);
    const int64_t begin = segment.rows * i / parts;
    return {segment.first_row + begin, segment.rows * (i + 1) / parts - begin};
}

/** Brings x into the form the kernel reads. */
void convert(const Problem &p, const Cut &c, const Segment *list, int64_t count, uint8_t *scratch, Pool &pool) {
    if (!converts(p.x) || p.k == 0) {
        return;
    }
    // a value costs a fraction of a cycle: items of some ten thousand are worth handing out
    const int64_t rows = p.x.rows * p.x.groups / c.row_blocks + 1;
    const int64_t extent = round_up(clamp(32768 / rows, CHUNK, p.k), CHUNK);
    const int64_t pieces = packing::ceil_div(p.k, extent);
    pool.parallel_for(c.row_blocks * pieces, [&](int64_t item, int32_t) {
        const Segment &segment = segment_of(list, count, item / pieces);
        const RowRange range = row_range(segment, item / pieces - segment.first_block);
        const int64_t first_k = item % pieces * extent;
        convert(p.x, scratch, segment.group, range.first, range.count, first_k, minimum(first_k + extent, p.k));
    });
}

Block block(const Problem &p, const Cut &c, const Segment &segment, int64_t part, int64_t panel, uint8_t *scratch) {
    const RowRange range = row_range(segment, part);
    const int64_t column = panel * ROWS;
    Block b = {};
    b.panels = packing::matrix_at(*p.w, segment.matrix) + panel * packing::panel_bytes(p.w->dtype, p.k);
    b.columns = minimum(c.panels * ROWS, p.n - column);
    b.k = p.k;
    b.x = rows_at(p.x, scratch, segment.group, range.first);
    b.rows = range.count;
    b.out.pitch = p.out_step;
    b.out.dtype = p.out->dtype;
    const int64_t offset = range.first * b.out.pitch + segment.group * p.n + column;
    b.out.data = static_cast<uint8_t *>(p.out->data) + offset * (p.out->dtype == WEFT_F32 ? 4 : 2);
    return b;
}

void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.op, command.operands);
    if (p.x.rows * p.x.groups * p.n == 0) {
        return;
    }
    auto *list = static_cast<Segment *>(command.workspace);
    uint8_t *scratch = static_cast<uint8_t *>(command.workspace) + segments_bytes(p);
    const int64_t count = segments(p, list);
    const Cut c = cut(p, list, count, pool.threads());
    if (c.row_blocks == 0) {
        return;
    }
    convert(p, c, list, count, scratch, pool);
    pool.parallel_for(c.row_blocks * c.panel_blocks, [&](int64_t item, int32_t) {
        // items of a segment run over its row blocks first, so that threads share weights in cache
        const Segment &segment = segment_of(list, count, item / c.panel_blocks);
        const int64_t local = item - segment.first_block * c.panel_blocks;
        const int64_t parts = row_blocks(segment);
        p.kernel(block(p, c, segment, local % parts, local / parts * c.panels, scratch));
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
    const Problem p = problem(OP, operands);
    return segments_bytes(p) + converted_bytes(p.x);
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

#include "isa/gemm_plan.h"

namespace weft::WEFT_ISA::gemm {

namespace {

/** Values whose conversion, a fraction of a cycle each, makes a worthwhile item. */
constexpr int64_t ITEM_VALUES = 32768;

int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

}  // namespace

Problem problem(const weft_operand &x, const weft_operand &w, const weft_operand *offsets, const weft_operand &out,
                bool matrix_per_group) {
    Problem p = {};
    p.w = &w;
    p.offsets = offsets;
    p.out = &out;
    p.matrix_per_group = matrix_per_group;
    p.n = w.dims[w.rank - 2];
    p.k = w.dims[w.rank - 1];
    auto *codes = x.dtype == WEFT_F8_E4M3 ? static_cast<const uint8_t *>(x.scale) : nullptr;
    p.x = {static_cast<const uint8_t *>(x.data), codes, x.dtype, x.dims[0], 1, x.pitch, p.k, false};
    for (int64_t axis = 1; axis < x.rank - 1; axis++) {
        p.x.groups *= x.dims[axis];
    }
    p.most_segments = offsets != nullptr ? w.dims[0] : p.x.groups;
    p.out_step = out.pitch;
    bool tight = p.x.step == p.x.groups * p.k && p.out_step == p.x.groups * p.n;
    if (!p.matrix_per_group && p.x.groups > 1 && tight) {
        p.x.rows *= p.x.groups;
        p.x.groups = 1;
        p.x.step = p.k;
        p.out_step = p.n;
    }
    p.kernel = dot_kernel(x.dtype, w.dtype);
    p.x.dot = p.kernel != nullptr;
    if (!p.x.dot) {
        p.kernel = float_kernel(w.dtype);
    }
    return p;
}

// ---- segments ----

int64_t segments_bytes(const Problem &p) {
    return round_up(p.most_segments * (int64_t)sizeof(Segment), LINE);
}

int64_t row_blocks(const Segment &segment) {
    return packing::ceil_div(segment.rows, BLOCK_ROWS);
}

Segments segments(const Problem &p, void *workspace) {
    auto *list = static_cast<Segment *>(workspace);
    Segments s = {list, 0, 0, true};
    const auto add = [&](Segment segment) {
        if (segment.rows > 0) {
            segment.first_block = s.row_blocks;
            s.row_blocks += row_blocks(segment);
            s.streamed &= segment.rows <= DOT_TILE;
            list[s.count++] = segment;
        }
    };
    if (p.offsets == nullptr) {
        for (int64_t g = 0; g < p.x.groups; g++) {
            add({p.matrix_per_group ? g : 0, g, 0, p.x.rows, 0});
        }
        return s;
    }
    auto *offsets = static_cast<const int32_t *>(p.offsets->data);
    for (int64_t e = 0; e < p.w->dims[0]; e++) {
        int64_t begin = clamp(offsets[e], 0, p.x.rows);
        int64_t end = clamp(offsets[e + 1], begin, p.x.rows);
        add({e, 0, begin, end - begin, 0});
    }
    return s;
}

const Segment &Segments::of(int64_t row_block) const {
    int64_t low = 0;
    int64_t high = count;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (list[middle].first_block <= row_block) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return list[low];
}

RowRange row_range(const Segment &segment, int64_t i) {
    const int64_t parts = row_blocks(segment);
    const int64_t begin = segment.rows * i / parts;
    return {segment.first_row + begin, segment.rows * (i + 1) / parts - begin};
}

// ---- blocks ----

void convert(const Problem &p, const Segments &segments, uint8_t *scratch, Pool &pool) {
    if (!converts(p.x) || p.k == 0) {
        return;
    }
    const int64_t rows = packing::ceil_div(p.x.rows * p.x.groups, segments.row_blocks);
    const int64_t extent = round_up(clamp(ITEM_VALUES / rows, CHUNK, p.k), CHUNK);
    const int64_t pieces = packing::ceil_div(p.k, extent);
    const int64_t grain = pieces > 1 ? 1 : clamp(ITEM_VALUES / (rows * p.k), 1, segments.row_blocks);
    pool.parallel_ranges(segments.row_blocks * pieces, grain, [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t item = begin; item < end; item++) {
            const Segment &segment = segments.of(item / pieces);
            const RowRange range = row_range(segment, item / pieces - segment.first_block);
            const int64_t first_k = item % pieces * extent;
            convert(p.x, scratch, segment.group, range.first, range.count, first_k, minimum(first_k + extent, p.k));
        }
    });
}

Line::Line(const Segments &segments, const Problem &p, int64_t panels, int64_t most_panels)
    : segments(segments),
      panels(panels),
      per_block(packing::ceil_div(packing::ceil_div(p.n, ROWS), panels)),
      most(segments.streamed && panels < most_panels ? most_panels / panels : 1) {}

Block block(const Problem &p, const Segment &segment, int64_t part, int64_t panel, int64_t panels, uint8_t *scratch) {
    const RowRange range = row_range(segment, part);
    const int64_t column = panel * ROWS;
    Block b = {};
    b.panels = packing::matrix_at(*p.w, segment.matrix) + panel * packing::panel_bytes(p.w->dtype, p.k);
    b.columns = minimum(panels * ROWS, p.n - column);
    b.k = p.k;
    b.x = rows_at(p.x, scratch, segment.group, range.first);
    b.rows = range.count;
    b.out.pitch = p.out_step;
    b.out.dtype = p.out->dtype;
    const int64_t offset = range.first * b.out.pitch + segment.group * p.n + column;
    b.out.data = static_cast<uint8_t *>(p.out->data) + offset * (p.out->dtype == WEFT_F32 ? 4 : 2);
    return b;
}

}  // namespace weft::WEFT_ISA::gemm

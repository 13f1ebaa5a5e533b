// A matrix product as a list of segments: consecutive rows that share one weight matrix.
#ifndef WEFT_GEMM_PLAN_H
#define WEFT_GEMM_PLAN_H

#include "isa/gemm.h"
#include "isa/gemm_rows.h"

namespace weft::WEFT_ISA::gemm {

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

/** @param offsets first rows of the experts, null if there are none */
Problem problem(const weft_operand &x, const weft_operand &w, const weft_operand *offsets, const weft_operand &out,
                bool matrix_per_group);

/** The segments that have rows. */
struct Segments {
    const Segment *list;
    int64_t count;
    int64_t row_blocks;
    /** Whether weights are read once, by tiles of all of a segment's rows. */
    bool streamed;

    /** The segment that a row block belongs to. */
    const Segment &of(int64_t row_block) const;
};

/** Bytes of the segments in a workspace. */
int64_t segments_bytes(const Problem &p);

/** Lists the segments at the beginning of a workspace. Offsets that point outside of x are cut off. */
Segments segments(const Problem &p, void *workspace);

int64_t row_blocks(const Segment &segment);

struct RowRange {
    int64_t first;
    int64_t count;
};

/** Rows of part i of a segment: blocks of nearly equal height, 65 rows are 33 + 32. */
RowRange row_range(const Segment &segment, int64_t i);

/** Brings x into the form the kernel reads. */
void convert(const Problem &p, const Segments &segments, uint8_t *scratch, Pool &pool);

/**
 * The work of a call as a line of equal units, which threads claim in ranges: some panels times a row block. Where
 * weights are read once from memory a range is long at first, for long blocks make streams that lie far apart, and
 * short at the end, so that all threads finish together. Elsewhere row blocks of a segment follow each other with the
 * same panels, so that a thread finds their weights in its cache.
 */
struct Line {
    const Segments &segments;
    int64_t panels;     // of a unit
    int64_t per_block;  // units of a row block
    int64_t most;       // units of one block of panels

    Line(const Segments &segments, const Problem &p, int64_t panels, int64_t most_panels);

    int64_t units() const { return segments.row_blocks * per_block; }

    /** Calls f(segment, part of the segment, first panel, panels) for blocks that make up units [begin, end). */
    template <class F>
    void each(int64_t begin, int64_t end, const F &f) const {
        while (begin < end) {
            const Segment &segment = segments.of(begin / per_block);
            const int64_t local = begin - segment.first_block * per_block;
            const int64_t parts = row_blocks(segment);
            const int64_t first = local / parts;
            const int64_t count = parts == 1 ? minimum(minimum(end - begin, most), per_block - first) : 1;
            f(segment, local % parts, first * panels, count * panels);
            begin += count;
        }
    }
};

/** Part `part` of a segment times at most `panels` panels from `panel` on. */
Block block(const Problem &p, const Segment &segment, int64_t part, int64_t panel, int64_t panels, uint8_t *scratch);

}  // namespace weft::WEFT_ISA::gemm

#endif

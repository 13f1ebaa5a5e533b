package dev.weft.op;

import dev.weft.DType;

/** Operand rules of the values that say which rows belong to which sequence. */
final class Batch {
    private Batch() {}

    /** {@code positions} has one entry per row of operand {@code rows}; {@code starts} is a list of row offsets. */
    static void check(Rules r, int rows, int positions, int starts) {
        r.rank(positions, 1).dtype(positions, DType.I32).same(positions, 0, r.dim(rows, 0), "one position per row");
        r.rank(starts, 1).dtype(starts, DType.I32);
    }

    /** {@code slots} has one entry per sequence of {@code starts}. */
    static void slots(Rules r, int starts, int slots) {
        r.rank(slots, 1).dtype(slots, DType.I32);
        r.same(starts, 0, r.dim(slots, 0).plus(1), "one offset per sequence and one past the end");
    }

    /** {@code pages} has one row of page ids per sequence of {@code starts}. */
    static void pages(Rules r, int starts, int pages) {
        r.rank(pages, 2).dtype(pages, DType.I32);
        r.require(
                pages,
                r.dim(starts, 0).equals(r.dim(pages, 0).plus(1)),
                "expected one page list per sequence of starts " + r.at(starts));
    }
}

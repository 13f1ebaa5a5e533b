package dev.weft.op;

import dev.weft.DType;

/** Operand rules of the hyper-connection operators. */
final class Hyper {
    private Hyper() {}

    /** Streams x {@code [R, H, d]}, projection {@code [rows, H*d]}, scale {@code [scales]}, base {@code [rows]}. */
    static void mixing(Rules r, int streams, long rows, long scales) {
        r.rank(0, 3).flow(0).fixed(0, 1, streams, "one row per stream");
        r.rank(1, 2).dtype(1, DType.F32).fixed(1, 0, rows, "mixing rows");
        r.fixed(1, 1, streams * r.extent(0, 2), "one column per stream and lane");
        r.rank(2, 1).dtype(2, DType.F32).fixed(2, 0, scales, "scales");
        r.rank(3, 1).dtype(3, DType.F32).fixed(3, 0, rows, "one base per mixing row");
    }
}

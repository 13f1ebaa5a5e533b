package dev.weft.benchmarks.work;

import java.util.List;

/**
 * Something to compute, with its data on the host. One run does it {@link #copies} times over different weights or caches,
 * so that what should come from memory does. Owns its data.
 */
public sealed interface Work extends AutoCloseable permits GemmWork, ExpertWork, AttentionWork {
    /** Name in tables: operation, format and shapes. */
    String name();

    /** How often one run does it. */
    int copies();

    /** Multiplications and additions of one run. */
    double flops();

    /** Bytes of weights or cache that one run must touch at least once. */
    double bytes();

    /** Rate that bounds the arithmetic. */
    Arithmetic arithmetic();

    /** Columns of an output row. */
    int columns();

    /** Outputs to check. */
    List<Point> points();

    /** The exact result at a point, from the same data in double precision. */
    double expected(Point point);

    @Override
    void close();

    /** The unit that a work's products run on. */
    enum Arithmetic {
        /** BF16 pair products summed in F32. */
        BF16_DOT,
        /** F32 multiply-add. */
        F32_FMA
    }

    /** One number of the results. @param copy which of the copies @param row row of its output */
    record Point(int copy, int row, int column) {}
}

package dev.weft.benchmarks;

/** An implementation that computes one work again and again. Used by one thread. */
public interface Contender extends AutoCloseable {
    /** Short name: a column of the table. */
    String name();

    /** What exactly runs: library version, kernel, where weights lie. */
    String detail();

    /** Computes all copies once and waits. */
    void run();

    /** The result of a copy in the last run, row-major, widened to F32. */
    float[] output(int copy);

    /** Largest accepted root-mean-square error relative to the exact result's root-mean-square. */
    double tolerance();

    @Override
    void close();
}

package dev.weft.benchmarks;

import dev.weft.benchmarks.work.Work;

/** Reads as many bytes as a work has weights, once, in order, on the calling thread. */
final class StreamRead implements Limit {
    /** Large enough that no cache holds it; the time for other sizes is in proportion. */
    private static final int LONGS = 20_000_000;

    private final long[] memory = new long[LONGS];
    private final double share;
    private long sum;

    StreamRead(Work work) {
        this.share = work.bytes() / ((double) LONGS * Long.BYTES);
    }

    @Override
    public String name() {
        return "read";
    }

    @Override
    public double seconds() {
        long start = System.nanoTime();
        sum += sum(memory);
        long nanos = System.nanoTime() - start;
        return sum == 0 ? nanos * 1e-9 * share : Double.NaN; // the sum is used, so the loop stays
    }

    private static long sum(long[] a) {
        long s = 0;
        for (long v : a) {
            s += v;
        }
        return s;
    }
}

package dev.weft.backend.cpu;

import dev.weft.UnsupportedOpException;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.MeasuredLimits;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;

/** The one ceiling that Java can reach by itself: reading memory. What it computes at most nobody can say in Java. */
final class JavaLimits implements MeasuredLimits {
    private final Workers workers;
    /** Sums of the threads; written so that no compiler drops the reading. */
    private final long[] sums;

    JavaLimits(Workers workers) {
        this.workers = workers;
        this.sums = new long[workers.threads()];
    }

    @Override
    public Set<HardwareLimit> limits() {
        return Set.of(HardwareLimit.READ);
    }

    @Override
    public String measuredBy() {
        return "Java";
    }

    @Override
    public double read(long address, long bytes) {
        long words = bytes / Long.BYTES;
        long share = Math.ceilDiv(words, (long) workers.threads());
        MemorySegment memory = HostMemory.segment(address, bytes);
        long start = System.nanoTime();
        workers.parallelFor(workers.threads(), (item, worker) -> {
            long from = Math.min(words, item * share);
            sums[worker] += sum(memory, from, Math.min(words, from + share));
        });
        return words * Long.BYTES * 1e9 / Math.max(1, System.nanoTime() - start);
    }

    /** Four places side by side: one alone leaves part of the memory channels idle. */
    private static long sum(MemorySegment memory, long from, long to) {
        long quarter = (to - from) / 4;
        long a = 0;
        long b = 0;
        long c = 0;
        long d = 0;
        for (long i = from; i < from + quarter; i++) {
            a += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i * Long.BYTES);
            b += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, (i + quarter) * Long.BYTES);
            c += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, (i + 2 * quarter) * Long.BYTES);
            d += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, (i + 3 * quarter) * Long.BYTES);
        }
        for (long i = from + 4 * quarter; i < to; i++) {
            a += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i * Long.BYTES);
        }
        return a + b + c + d;
    }

    @Override
    public double compute(HardwareLimit unit, long operations) {
        throw new UnsupportedOpException(
                "limit " + unit + ": without native kernels only " + limits() + " is measured");
    }
}

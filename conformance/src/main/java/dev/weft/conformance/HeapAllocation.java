package dev.weft.conformance;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Assumptions;

/** Bytes that the calling thread allocates on the Java heap, freed ones included, as the JVM counts them. */
public final class HeapAllocation {
    private static final int WINDOWS = 3;

    private final ThreadMXBean bean;

    private HeapAllocation(ThreadMXBean bean) {
        this.bean = bean;
    }

    /** The counter; aborts the test where the JVM has none. */
    public static HeapAllocation counterOrSkip() {
        boolean counts = ManagementFactory.getThreadMXBean() instanceof ThreadMXBean b
                && b.isThreadAllocatedMemorySupported()
                && b.isThreadAllocatedMemoryEnabled();
        Assumptions.assumeTrue(counts, "this JVM does not count the bytes that a thread allocates");
        return new HeapAllocation((ThreadMXBean) ManagementFactory.getThreadMXBean());
    }

    /** Bytes since the thread began. */
    public long bytes() {
        return bean.getCurrentThreadAllocatedBytes();
    }

    /**
     * Mean bytes of a step once it has become steady: of the window with the fewest, since compiling, deoptimising and
     * linking leave a few objects once, but a step that allocates does so in every window.
     *
     * @param warmUp steps before the ones that count
     * @param steps steps of one of the {@value #WINDOWS} windows
     */
    public double bytesPerStep(int warmUp, int steps, Runnable step) {
        for (int i = 0; i < warmUp; i++) {
            step.run();
        }
        long fewest = Long.MAX_VALUE;
        for (int window = 0; window < WINDOWS; window++) {
            long before = bytes();
            for (int i = 0; i < steps; i++) {
                step.run();
            }
            fewest = Math.min(fewest, bytes() - before);
        }
        return (double) fewest / steps;
    }
}

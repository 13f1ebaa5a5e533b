package dev.weft.spi;

import java.util.Set;

/**
 * Optional ability of a {@link BackendDevice}: does nothing but one kind of work for a moment, on the threads or units its
 * kernels use, and says how fast that was. Benchmarks hold kernels against it in the same run, because on shared machines
 * yesterday's ceiling is not today's.
 */
public interface MeasuredLimits {
    /** The limits it can measure. */
    Set<HardwareLimit> limits();

    /** What measures, for reports: an instruction-set level, a tool. */
    String measuredBy();

    /**
     * Reads device memory once and waits.
     *
     * @param address first byte
     * @param bytes how many, 64 or more
     * @return bytes per second
     */
    double read(long address, long bytes);

    /**
     * Computes in registers and waits.
     *
     * @param unit one of {@link #limits} other than {@link HardwareLimit#READ}
     * @param operations how many at least, 1 or more; multiply and add count as two
     * @return operations per second
     */
    double compute(HardwareLimit unit, long operations);
}

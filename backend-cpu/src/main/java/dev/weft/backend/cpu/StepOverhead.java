package dev.weft.backend.cpu;

import dev.weft.BackendUnavailableException;
import dev.weft.natives.NativeLibrary;

/**
 * Measures what a step costs besides the work of its kernels: submission from Java, and the native pool's hand-over of
 * every parallel loop. The mode is one for all devices of the process: for benchmarks, while nothing else runs.
 */
public final class StepOverhead {
    /** Values of {@code enum weft_kernel_mode}. */
    private static final int RUN = 0;

    private static final int RECORD = 1;
    private static final int EMPTY = 2;

    private StepOverhead() {}

    /**
     * Runs a step once as it is, noting its parallel loops, and then again and again with nothing in the loops. Results of
     * the later runs are void. Kernels that run in Java are not emptied.
     *
     * @param step runs the native commands of one execution, as {@code execution::run}
     * @param warmUp runs that are not timed
     * @param rounds runs that are timed
     * @return nanoseconds of every timed run
     * @throws BackendUnavailableException if there are no native kernels
     */
    public static long[] nanoseconds(Runnable step, int warmUp, int rounds) {
        WeftLibrary library = switch (NativeLevel.usable(NativeLibrary.load())) {
            case NativeLevel.Usable usable -> usable.bestFirst().getFirst().library();
            case NativeLevel.Unusable unusable ->
                throw new BackendUnavailableException("step overhead: no native kernels: " + unusable.reason());
        };
        long[] times = new long[rounds];
        try {
            library.setKernelMode(RECORD);
            step.run();
            library.setKernelMode(EMPTY);
            for (int i = 0; i < warmUp; i++) {
                step.run();
            }
            for (int i = 0; i < rounds; i++) {
                long start = System.nanoTime();
                step.run();
                times[i] = System.nanoTime() - start;
            }
        } finally {
            library.setKernelMode(RUN);
        }
        return times;
    }
}

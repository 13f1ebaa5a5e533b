package dev.weft.backend.cpu;

import dev.weft.spi.MeasuredLimits;
import org.jspecify.annotations.Nullable;

/**
 * What measures the ceilings of a device: the native level in use; for Java kernels the best native level, since it is
 * the machine they are held against; without native kernels a stream read in Java.
 *
 * @param limits measures
 * @param owned closed with the device
 */
record Yardstick(MeasuredLimits limits, AutoCloseable owned) implements AutoCloseable {
    static Yardstick of(KernelSet kernels, @Nullable NativeLevel best) {
        if (kernels instanceof NativeKernels used) {
            return new Yardstick(new NativeLimits(used), () -> {});
        }
        if (best != null) {
            NativeKernels beside = new NativeKernels(best, kernels.threads());
            return new Yardstick(new NativeLimits(beside), beside);
        }
        Workers workers = new Workers("weft-limits", kernels.threads());
        return new Yardstick(new JavaLimits(workers), workers);
    }

    @Override
    public void close() throws Exception {
        owned.close();
    }
}

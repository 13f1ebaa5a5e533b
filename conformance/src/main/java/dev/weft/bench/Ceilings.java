package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceLimits;
import dev.weft.runtime.Tensor;
import dev.weft.spi.HardwareLimit;
import java.util.Optional;

/**
 * Measures the ceilings that bound one piece of work: the stream read of as many bytes as it moves, of memory of its own,
 * and the unit that computes it. Close frees the memory.
 */
public final class Ceilings implements AutoCloseable {
    /** Duration of computing, in seconds: waking the threads must not count. */
    private static final double COMPUTING_SECONDS = 8e-3;

    private static final long LEAST_BYTES = 4096;

    private final DeviceLimits limits;
    private final HardwareLimit unit;
    private final Tensor memory;
    private long operations = 1;

    private Ceilings(DeviceLimits limits, HardwareLimit unit, Tensor memory) {
        this.limits = limits;
        this.unit = unit;
        this.memory = memory;
    }

    /**
     * The ceilings of a device for some work.
     *
     * @return empty if the device measures no stream read
     */
    public static Optional<Ceilings> of(Device device, Work work) {
        DeviceLimits limits = device.limits().orElse(null);
        if (limits == null || !limits.kinds().contains(HardwareLimit.READ)) {
            return Optional.empty();
        }
        Tensor memory = device.tensor(TensorType.of(DType.U8, Math.max(LEAST_BYTES, (long) work.bytes())));
        memory.clear();
        return Optional.of(new Ceilings(limits, unit(limits, work.unit()), memory));
    }

    /** The unit wanted, else F32 multiply-add, which does the work where there is no such unit; READ for none. */
    private static HardwareLimit unit(DeviceLimits limits, HardwareLimit wanted) {
        if (limits.kinds().contains(wanted)) {
            return wanted;
        }
        return limits.kinds().contains(HardwareLimit.F32_FMA) ? HardwareLimit.F32_FMA : HardwareLimit.READ;
    }

    /** The computing unit that is measured, {@link HardwareLimit#READ} if the device measures none. */
    public HardwareLimit unit() {
        return unit;
    }

    /** What measures. */
    public String measuredBy() {
        return limits.measuredBy();
    }

    /** Rates at this moment. */
    public Rates measure() {
        double read = limits.read(memory);
        if (unit == HardwareLimit.READ) {
            return new Rates(read, Double.POSITIVE_INFINITY);
        }
        double computed = limits.compute(unit, operations);
        operations = Math.max(1, (long) (computed * COMPUTING_SECONDS)); // for the next time
        return new Rates(read, computed);
    }

    @Override
    public void close() {
        memory.close();
    }

    /**
     * Ceilings at one moment.
     *
     * @param read bytes per second
     * @param compute operations per second, infinite if nothing is known
     */
    public record Rates(double read, double compute) {
        /** The shortest time in which work can be done: moving and computing may overlap. */
        public double seconds(Work work) {
            return Math.max(work.bytes() / read, work.flops() / compute);
        }
    }
}

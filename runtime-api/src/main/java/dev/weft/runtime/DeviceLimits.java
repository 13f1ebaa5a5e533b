package dev.weft.runtime;

import dev.weft.RequestException;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.Lifetime;
import dev.weft.spi.MeasuredLimits;
import java.util.Set;

/** Measures what a {@link Device} can do at most; see {@link MeasuredLimits}. Thread-safe; close the device, not this. */
public final class DeviceLimits {
    /** The least a stream read is asked for: one cache line. */
    private static final long LEAST_BYTES = 64;

    private final Device device;
    private final MeasuredLimits measured;

    DeviceLimits(Device device, MeasuredLimits measured) {
        this.device = device;
        this.measured = measured;
    }

    /** The limits that can be measured. */
    public Set<HardwareLimit> kinds() {
        return measured.limits();
    }

    /** What measures, for reports. */
    public String measuredBy() {
        return measured.measuredBy();
    }

    /**
     * Reads the data of a tensor once.
     *
     * @return bytes per second
     * @throws RequestException if reading cannot be measured or the tensor has fewer than 64 bytes
     */
    public double read(Tensor memory) {
        require(HardwareLimit.READ);
        device.require(memory.device(), "tensor " + memory.type());
        long bytes = memory.type().maxDataBytes();
        if (bytes < LEAST_BYTES) {
            throw new RequestException("stream read of " + memory.type() + ": found " + bytes + " bytes, expected "
                    + LEAST_BYTES + " or more");
        }
        Lifetime use = memory.lifetime();
        use.enter();
        try {
            return device.using(() -> measured.read(memory.address(), bytes));
        } finally {
            use.exit();
        }
    }

    /**
     * Computes in registers.
     *
     * @param unit one of {@link #kinds} other than {@link HardwareLimit#READ}
     * @param operations how many at least, 1 or more
     * @return operations per second
     * @throws RequestException if the unit cannot be measured or nothing is asked for
     */
    public double compute(HardwareLimit unit, long operations) {
        require(unit);
        if (unit == HardwareLimit.READ || operations < 1) {
            throw new RequestException("limit " + unit + " of " + operations
                    + " operations: expected a computing unit and 1 or more operations");
        }
        return device.using(() -> measured.compute(unit, operations));
    }

    private void require(HardwareLimit kind) {
        if (!kinds().contains(kind)) {
            throw new RequestException("limit " + kind + ": " + device.id() + " measures only " + kinds());
        }
    }
}

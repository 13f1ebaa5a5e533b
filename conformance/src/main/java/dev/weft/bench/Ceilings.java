package dev.weft.bench;

import static java.util.Objects.requireNonNull;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceLimits;
import dev.weft.runtime.Tensor;
import dev.weft.spi.HardwareLimit;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Measures the ceilings that bound a piece of work: the stream read of as many bytes as it moves (at most 256 MiB), of
 * memory of its own, and the units that compute it. Close frees the memory.
 */
final class Ceilings implements AutoCloseable {
    /** Duration of computing, in seconds: waking the threads must not count. */
    private static final double COMPUTING_SECONDS = 8e-3;

    /** Operations of the first time, when nothing is known about the unit. */
    private static final long FIRST_OPERATIONS = 1L << 28;

    private static final long LEAST_BYTES = 4096;
    /** Beyond this a longer read is no faster and no slower. */
    private static final long MOST_BYTES = 256L << 20;

    private final DeviceLimits limits;
    private final Tensor memory;
    private final Map<HardwareLimit, Long> operations = new EnumMap<>(HardwareLimit.class);

    private Ceilings(DeviceLimits limits, Set<HardwareLimit> units, Tensor memory) {
        this.limits = limits;
        this.memory = memory;
        units.forEach(u -> operations.put(u, FIRST_OPERATIONS));
    }

    /**
     * The ceilings of a device.
     *
     * @param bytes what the work moves
     * @param units what computes it at best; where there is no such unit F32 multiply-add does its work
     * @return empty if the device measures no stream read
     */
    static Optional<Ceilings> of(Device device, double bytes, Set<HardwareLimit> units) {
        DeviceLimits limits = device.limits().orElse(null);
        if (limits == null || !limits.kinds().contains(HardwareLimit.READ)) {
            return Optional.empty();
        }
        Set<HardwareLimit> there = EnumSet.noneOf(HardwareLimit.class);
        for (HardwareLimit unit : units) {
            HardwareLimit used = limits.kinds().contains(unit) ? unit : HardwareLimit.F32_FMA;
            if (limits.kinds().contains(used)) {
                there.add(used);
            }
        }
        Tensor memory = device.tensor(TensorType.of(DType.U8, Math.clamp((long) bytes, LEAST_BYTES, MOST_BYTES)));
        memory.clear(); // untouched pages would all be one page of zeros
        return Optional.of(new Ceilings(limits, there, memory));
    }

    /** What multiplies BF16 and narrower values: its unit, and that of FP8 where a device has one. */
    static Set<HardwareLimit> products(Device device) {
        Set<HardwareLimit> units = EnumSet.of(HardwareLimit.BF16_DOT);
        device.limits()
                .filter(l -> l.kinds().contains(HardwareLimit.FP8_DOT))
                .ifPresent(l -> units.add(HardwareLimit.FP8_DOT));
        return units;
    }

    /** What measures. */
    String measuredBy() {
        return limits.measuredBy();
    }

    /** Rates at this moment. */
    Rates measure() {
        Map<HardwareLimit, Double> rates = new EnumMap<>(HardwareLimit.class);
        rates.put(HardwareLimit.READ, limits.read(memory));
        for (Map.Entry<HardwareLimit, Long> wanted : operations.entrySet()) {
            double rate = limits.compute(wanted.getKey(), wanted.getValue());
            rates.put(wanted.getKey(), rate);
            wanted.setValue(Math.max(1, (long) (rate * COMPUTING_SECONDS))); // for the next time
        }
        return new Rates(rates);
    }

    @Override
    public void close() {
        memory.close();
    }

    /**
     * Ceilings at one moment.
     *
     * @param perSecond bytes and operations per second of what was measured
     */
    record Rates(Map<HardwareLimit, Double> perSecond) {
        /** The unit that bounds the work's computing: its own, else F32 multiply-add; READ if neither was measured. */
        HardwareLimit unit(Work work) {
            if (perSecond.containsKey(work.unit())) {
                return work.unit();
            }
            return perSecond.containsKey(HardwareLimit.F32_FMA) ? HardwareLimit.F32_FMA : HardwareLimit.READ;
        }

        double read() {
            return rate(HardwareLimit.READ);
        }

        /** Operations per second, infinite if no unit was measured. */
        double compute(Work work) {
            HardwareLimit unit = unit(work);
            return unit == HardwareLimit.READ ? Double.POSITIVE_INFINITY : rate(unit);
        }

        /** Rate of a limit that was measured. */
        double rate(HardwareLimit kind) {
            return requireNonNull(perSecond.get(kind));
        }

        /** The shortest time in which work can be done: moving and computing may overlap. */
        double seconds(Work work) {
            return Math.max(work.bytes() / read(), work.flops() / compute(work));
        }
    }
}

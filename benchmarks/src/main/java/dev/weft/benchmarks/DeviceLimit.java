package dev.weft.benchmarks;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.benchmarks.work.Work;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceLimits;
import dev.weft.runtime.Tensor;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.List;

/** What a device can do at most, in the units of one work. */
final class DeviceLimit implements Limit {
    /** Memory that the stream read goes over: more than any cache holds. */
    private static final long READ_BYTES = 160_000_000;

    /** Operations of one measurement: some milliseconds. */
    private static final long OPERATIONS = 1_000_000_000L;

    private final HardwareLimit kind;
    private final double amount;
    private final Rate rate;
    private final AutoCloseable owned;

    private DeviceLimit(HardwareLimit kind, double amount, Rate rate, AutoCloseable owned) {
        this.kind = kind;
        this.amount = amount;
        this.rate = rate;
        this.owned = owned;
    }

    private interface Rate {
        double measure();
    }

    /** Memory read and the arithmetic of the work, as far as the device measures them. */
    static List<Limit> of(Device device, Work work) {
        List<Limit> all = new ArrayList<>();
        device.limits().ifPresent(limits -> {
            if (limits.kinds().contains(HardwareLimit.READ)) {
                all.add(read(device, limits, work));
            }
            HardwareLimit unit = switch (work.arithmetic()) {
                case BF16_DOT -> HardwareLimit.BF16_DOT;
                case F32_FMA -> HardwareLimit.F32_FMA;
            };
            if (limits.kinds().contains(unit)) {
                all.add(new DeviceLimit(unit, work.flops(), () -> limits.compute(unit, OPERATIONS), () -> {}));
            }
        });
        return all;
    }

    private static DeviceLimit read(Device device, DeviceLimits limits, Work work) {
        // written, because untouched pages are all one page of zeros
        Tensor memory = device.random(TensorType.of(DType.U8, READ_BYTES), 1);
        return new DeviceLimit(HardwareLimit.READ, work.bytes(), () -> limits.read(memory), memory);
    }

    @Override
    public String name() {
        return kind.key();
    }

    @Override
    public double seconds() {
        return amount / rate.measure();
    }

    @Override
    public void close() {
        try {
            owned.close();
        } catch (Exception e) {
            throw new IllegalStateException(kind.key(), e);
        }
    }
}

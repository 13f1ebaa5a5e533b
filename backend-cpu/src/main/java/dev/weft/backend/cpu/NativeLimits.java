package dev.weft.backend.cpu;

import dev.weft.spi.HardwareLimit;
import dev.weft.spi.MeasuredLimits;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;

/** Ceilings at one native level, on the threads of its kernels. */
final class NativeLimits implements MeasuredLimits {
    private final NativeKernels kernels;
    private final Set<HardwareLimit> kinds = EnumSet.noneOf(HardwareLimit.class);

    NativeLimits(NativeKernels kernels) {
        this.kernels = kernels;
        NativeLevel level = kernels.level();
        for (HardwareLimit kind : HardwareLimit.values()) {
            if (level.library().hasLimit(level.isa(), kind.ordinal()) != 0) {
                kinds.add(kind);
            }
        }
    }

    @Override
    public Set<HardwareLimit> limits() {
        return Set.copyOf(kinds);
    }

    @Override
    public String measuredBy() {
        return kernels.level().name();
    }

    @Override
    public double read(long address, long bytes) {
        return kernels.rate(HardwareLimit.READ, MemorySegment.ofAddress(address), bytes);
    }

    @Override
    public double compute(HardwareLimit unit, long operations) {
        return kernels.rate(unit, MemorySegment.NULL, operations);
    }
}

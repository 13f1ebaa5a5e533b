package dev.weft.backend.ascend;

import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A candidate's weight layout, whose target is host memory, carried on to the device: packing needs random access, and
 * the host must not touch device addresses.
 */
record Packed(AscendDevice device, WeightLayout.Packing onHost) implements WeightLayout.Packing {
    @Override
    public String id() {
        return onHost.id();
    }

    @Override
    public long bytes() {
        return onHost.bytes();
    }

    @Override
    public void pack(WeightData source, long target) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(Math.max(1, bytes()), 64);
            onHost.pack(source, host.address());
            device.copyIn(host.asSlice(0, bytes()), target);
        }
    }
}

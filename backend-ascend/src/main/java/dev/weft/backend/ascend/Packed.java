package dev.weft.backend.ascend;

import dev.weft.backend.ascend.kernel.DevicePacking;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A candidate's weight layout, whose target is host memory, carried on to the device: packing needs random access, and
 * the host must not touch device addresses. On request the vendor's operator makes the layout instead, where it has one.
 */
record Packed(AscendDevice device, WeightLayout.Packing onHost) implements WeightLayout.Packing {
    private static final long ALIGNMENT = 64;

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
        if (device.options().packing() == AscendOptions.Packing.DEVICE && onHost instanceof DevicePacking operator) {
            pack(operator, source, target);
            return;
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(Math.max(1, bytes()), ALIGNMENT);
            onHost.pack(source, host.address());
            device.copyIn(host.asSlice(0, bytes()), target);
        }
    }

    private void pack(DevicePacking operator, WeightData source, long target) {
        long codes = source.type().maxDataBytes();
        long scales = source.type().maxScaleBytes();
        try (Arena arena = Arena.ofShared();
                DeviceBuffer codesBuffer = device.allocate(codes, ALIGNMENT);
                DeviceBuffer scalesBuffer = device.allocate(scales, ALIGNMENT);
                AscendStream stream = device.createStream()) {
            MemorySegment host = arena.allocate(Math.max(codes, scales), ALIGNMENT);
            source.readData(0, host.asSlice(0, codes));
            device.copyIn(host.asSlice(0, codes), codesBuffer.address());
            source.readScale(0, host.asSlice(0, scales));
            device.copyIn(host.asSlice(0, scales), scalesBuffer.address());
            stream.append(() -> operator.pack(
                    codesBuffer.address(),
                    scalesBuffer.address(),
                    target,
                    (function, arguments) -> device.caller().launch(function, arguments, stream, stream.workspace())));
            stream.synchronize();
        }
    }
}

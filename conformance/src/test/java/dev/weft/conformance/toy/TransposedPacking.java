package dev.weft.conformance.toy;

import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Weight bytes column by column and inverted, then the scales likewise: a kernel that took them for row-major could not be
 * right by accident.
 */
final class TransposedPacking implements WeightLayout.Packing {
    private final ToyDevice device;
    private final TensorType type;
    private final long rows;

    TransposedPacking(ToyDevice device, TensorType type) {
        this.device = device;
        this.type = type;
        this.rows = type.shape().dim(0).maximum();
    }

    @Override
    public String id() {
        return "toy-transposed";
    }

    @Override
    public long bytes() {
        return Math.max(1, type.maxDataBytes() + type.maxScaleBytes());
    }

    @Override
    public void pack(WeightData source, long target) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment rowMajor = arena.allocate(bytes());
            long data = 0;
            long scale = type.maxDataBytes();
            for (WeightData.Part part : source.parts()) {
                source.read(part.data(), rowMajor.asSlice(data, part.data().byteSize()));
                source.read(part.scale(), rowMajor.asSlice(scale, part.scale().byteSize()));
                data += part.data().byteSize();
                scale += part.scale().byteSize();
            }
            MemorySegment packed = arena.allocate(bytes());
            convert(rowMajor, packed, true);
            device.copyIn(packed, target);
        }
    }

    /** Converts packed bytes back: data, then scales. */
    void unpack(MemorySegment packed, MemorySegment data, MemorySegment scale) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment rowMajor = arena.allocate(bytes());
            convert(packed, rowMajor, false);
            data.copyFrom(rowMajor.asSlice(0, data.byteSize()));
            scale.copyFrom(rowMajor.asSlice(type.maxDataBytes(), scale.byteSize()));
        }
    }

    private void convert(MemorySegment from, MemorySegment to, boolean packing) {
        long scaleRows = type.scaling().isNone()
                ? 1
                : Math.ceilDiv(rows, (long) type.scaling().rows());
        transpose(from, to, 0, type.maxDataBytes(), rows, packing);
        transpose(from, to, type.maxDataBytes(), type.maxScaleBytes(), scaleRows, packing);
    }

    private static void transpose(
            MemorySegment from, MemorySegment to, long base, long bytes, long rows, boolean packing) {
        long columns = rows == 0 ? 0 : bytes / rows;
        for (long r = 0; r < rows; r++) {
            for (long c = 0; c < columns; c++) {
                long plain = base + r * columns + c;
                long turned = base + c * rows + r;
                byte b = from.get(ValueLayout.JAVA_BYTE, packing ? plain : turned);
                to.set(ValueLayout.JAVA_BYTE, packing ? turned : plain, (byte) ~b);
            }
        }
    }
}

package dev.weft.arrow;

import dev.weft.DType;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicInteger;

/** Host memory of a tensor with known bytes, which counts its releases and dies with the first. */
final class Memory {
    final Arena arena = Arena.ofShared();
    final AtomicInteger releases = new AtomicInteger();
    final MemorySegment data;
    final MemorySegment scales;
    final TensorMemory tensor;

    private Memory(TensorType type) {
        data = fill(arena.allocate(type.maxDataBytes(), 64));
        scales = type.scaling().isNone() ? MemorySegment.NULL : fill(arena.allocate(type.maxScaleBytes(), 64));
        tensor = TensorMemory.host(type, data, scales, () -> {
            releases.incrementAndGet();
            arena.close();
        });
    }

    static Memory of(TensorType type) {
        return new Memory(type);
    }

    static Memory of(DType dtype, long... shape) {
        return new Memory(TensorType.of(dtype, shape));
    }

    private static MemorySegment fill(MemorySegment bytes) {
        for (long i = 0; i < bytes.byteSize(); i++) {
            bytes.set(ValueLayout.JAVA_BYTE, i, (byte) (3 * i + 1));
        }
        return bytes;
    }

    byte[] bytes() {
        return data.toArray(ValueLayout.JAVA_BYTE);
    }
}

package dev.weft.spi;

import dev.weft.CheckpointException;
import dev.weft.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A weight in checkpoint order on the host: one part, or one part per index of the first axis (experts lie apart in
 * checkpoints).
 *
 * @param name name for messages
 * @param type type of the whole, fixed extents
 * @param parts the pieces in order; equal sizes
 */
public record WeightData(String name, TensorType type, List<Part> parts) {
    public WeightData {
        parts = List.copyOf(parts);
        long data = type.maxDataBytes();
        long scale = type.maxScaleBytes();
        for (Part p : parts) {
            if (p.data().byteSize() * parts.size() != data || p.scale().byteSize() * parts.size() != scale) {
                throw new CheckpointException("weight " + name + " " + type + ": found parts of "
                        + p.data().byteSize() + " data and " + p.scale().byteSize() + " scale bytes x " + parts.size()
                        + ", expected " + data + " and " + scale + " bytes in all");
            }
        }
    }

    /** A weight in one piece. @param scale scale bytes, {@link MemorySegment#NULL} if unscaled */
    public static WeightData of(String name, TensorType type, MemorySegment data, MemorySegment scale) {
        return new WeightData(name, type, List.of(new Part(data, scale)));
    }

    /**
     * One piece. The segments may be mapped files: read them with {@link #read}, which survives a file that was
     * shortened meanwhile; native code must never be handed the segment itself.
     *
     * @param data elements in row-major order
     * @param scale scale bytes, of size 0 if unscaled
     */
    public record Part(MemorySegment data, MemorySegment scale) {}

    /** Copies {@code source} to {@code target}. @throws CheckpointException if the mapped file is gone or shorter now */
    public void read(MemorySegment source, MemorySegment target) {
        try {
            MemorySegment.copy(source, 0, target, 0, source.byteSize());
            Thread.yield(); // compiled code raises the fault of the copy late, at the latest on return from a native
            // call
        } catch (InternalError e) {
            throw new CheckpointException(
                    "weight " + name + ": reading the mapped file failed; was it shortened or replaced after opening?",
                    e);
        }
    }
}

package dev.weft.spi;

import dev.weft.CheckpointException;
import dev.weft.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

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
     * A tensor in a file.
     *
     * @param tensor stored name, for messages
     * @param file the file
     * @param offset position of its first byte
     */
    public record Stored(String tensor, WeightFile file, long offset) {
        private void read(long from, MemorySegment target) {
            file.readAt(tensor, offset + from, target);
        }

        @Override
        public String toString() {
            return file.path() + ": tensor " + tensor;
        }
    }

    /**
     * Where a piece lies in files, for backends that read weights when they need them.
     *
     * @param data the elements
     * @param scale the scales, null if unscaled
     */
    public record Origin(Stored data, @Nullable Stored scale) {}

    /**
     * One piece. The segments may be mapped files: read them with {@link #readData}, {@link #readScale} or {@link #read},
     * which survive a file that was shortened meanwhile; native code must never be handed the segment itself.
     *
     * @param data elements in row-major order
     * @param scale scale bytes, of size 0 if unscaled
     * @param origin where the very same bytes lie in files, null if they exist only in memory
     */
    public record Part(
            MemorySegment data,
            MemorySegment scale,
            @Nullable Origin origin) {
        /** A piece in memory. */
        public Part(MemorySegment data, MemorySegment scale) {
            this(data, scale, null);
        }
    }

    /** Whether every piece lies in files. */
    public boolean isInFiles() {
        return parts.stream().allMatch(p -> p.origin() != null);
    }

    /** Copies element bytes of a part, from its byte {@code from} on. @throws CheckpointException as {@link #read} */
    public void readData(Part part, long from, MemorySegment target) {
        Origin origin = part.origin();
        if (origin == null) {
            read(part.data().asSlice(from, target.byteSize()), target);
        } else {
            origin.data().read(from, target);
        }
    }

    /**
     * Copies scale bytes of a part, from its byte {@code from} on.
     *
     * @throws CheckpointException as {@link #read}, and if one that comes from a file is 255: it means NaN and would poison
     *     whole blocks
     */
    public void readScale(Part part, long from, MemorySegment target) {
        Stored scale = part.origin() == null ? null : part.origin().scale();
        if (scale == null) {
            read(part.scale().asSlice(from, target.byteSize()), target);
            return;
        }
        scale.read(from, target);
        long at = firstNan(target);
        if (at >= 0) {
            throw nanScale(scale, from + at);
        }
    }

    /**
     * Copies bytes of the whole weight, which may lie in one part or span several.
     *
     * @throws CheckpointException as {@link #read}
     */
    public void readData(long from, MemorySegment target) {
        long partBytes = parts.getFirst().data().byteSize();
        pieces(partBytes, from, target, this::readData);
    }

    /**
     * Copies scale bytes of the whole weight, as {@link #readData(long, MemorySegment)}.
     *
     * @throws CheckpointException as {@link #readScale(Part, long, MemorySegment)}
     */
    public void readScale(long from, MemorySegment target) {
        long partBytes = parts.getFirst().scale().byteSize();
        pieces(partBytes, from, target, this::readScale);
    }

    private interface PartReader {
        void read(Part part, long from, MemorySegment target);
    }

    /** Parts are of one size. */
    private void pieces(long partBytes, long from, MemorySegment target, PartReader reader) {
        for (long done = 0; done < target.byteSize(); ) {
            Part part = parts.get(Math.toIntExact((from + done) / partBytes));
            long at = (from + done) % partBytes;
            long n = Math.min(partBytes - at, target.byteSize() - done);
            reader.read(part, at, target.asSlice(done, n));
            done += n;
        }
    }

    /** The error for scale byte {@code index}, which was found to be 255. */
    public static CheckpointException nanScale(Stored scale, long index) {
        return new CheckpointException(scale + ": scale byte " + index + " at file offset " + (scale.offset() + index)
                + " is 255 (NaN), expected 0 to 254; the file is damaged");
    }

    /** Position of the first byte 255, -1 if there is none. */
    private static long firstNan(MemorySegment bytes) {
        long words = bytes.byteSize() / Long.BYTES;
        long hits = 0;
        for (long i = 0; i < words; i++) {
            long w = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, i * Long.BYTES);
            hits |= (~w - 0x0101_0101_0101_0101L) & w; // the high bit of a byte: it is 255, or follows one
        }
        long from = (hits & 0x8080_8080_8080_8080L) == 0 ? words * Long.BYTES : 0;
        for (long i = from; i < bytes.byteSize(); i++) {
            if (bytes.get(ValueLayout.JAVA_BYTE, i) == (byte) 0xFF) {
                return i;
            }
        }
        return -1;
    }

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

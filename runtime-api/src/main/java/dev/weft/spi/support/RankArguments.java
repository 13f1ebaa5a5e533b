package dev.weft.spi.support;

import dev.weft.RequestException;
import java.lang.foreign.MemorySegment;

/** Checks of a communicator's arguments, before anybody waits. {@code subject} names the call in messages. */
public final class RankArguments {
    private RankArguments() {}

    /** @throws RequestException if {@code rank} is none of {@code size} ranks */
    public static void requireRank(String subject, int rank, int size) {
        if (rank < 0 || rank >= size) {
            throw new RequestException(subject + ": found rank " + rank + ", expected 0 to " + (size - 1));
        }
    }

    /** @throws RequestException if there is not one value per rank */
    public static void requireRanks(String subject, long[] values, int size) {
        if (values.length != size) {
            throw new RequestException(
                    subject + ": found " + values.length + " values, expected one per rank of " + size);
        }
    }

    /** @throws RequestException if the segment is on the heap */
    public static void requireNative(String subject, MemorySegment segment) {
        if (!segment.isNative()) {
            throw new RequestException(subject + ": found a segment on the heap, expected a native one");
        }
    }

    /** @throws RequestException if the segment has another size */
    public static void requireBytes(String subject, MemorySegment segment, long expected) {
        if (segment.byteSize() != expected) {
            throw new RequestException(
                    subject + ": found room for " + segment.byteSize() + " bytes, expected " + expected);
        }
    }

    /** @throws RequestException if there is not one range per rank, or one is not within the segment */
    public static void requireRanges(String subject, MemorySegment segment, long[] bytes, long[] offsets, int size) {
        if (bytes.length != size || offsets.length != size) {
            throw new RequestException(subject + ": found " + bytes.length + " sizes and " + offsets.length
                    + " offsets, expected one per rank of " + size);
        }
        for (int i = 0; i < size; i++) {
            if (bytes[i] < 0 || offsets[i] < 0 || offsets[i] > segment.byteSize() - bytes[i]) {
                throw new RequestException(subject + ": rank " + i + ": found " + bytes[i] + " bytes at " + offsets[i]
                        + ", expected a range within " + segment.byteSize());
            }
        }
    }
}

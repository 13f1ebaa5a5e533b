package dev.weft.ranks.mpi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The library's own blocking all-to-all of messages one after another, to measure against: no deadline, no checks, on
 * buffers of its own.
 */
final class BareAllToAll {
    private final MemorySegment send;
    private final MemorySegment sendCounts;
    private final MemorySegment sendPlaces;
    private final MemorySegment receive;
    private final MemorySegment receiveCounts;
    private final MemorySegment receivePlaces;

    BareAllToAll(long[] sendBytes, long[] receiveBytes) {
        send = buffer(sendBytes);
        sendCounts = counts(sendBytes);
        sendPlaces = places(sendBytes);
        receive = buffer(receiveBytes);
        receiveCounts = counts(receiveBytes);
        receivePlaces = places(receiveBytes);
    }

    /** Bytes of all messages. */
    long bytes() {
        return send.byteSize();
    }

    /** @return the library's error code */
    int run(Mpi mpi, long type, long comm) {
        return mpi.MPI_Alltoallv(
                send, sendCounts, sendPlaces, type, receive, receiveCounts, receivePlaces, type, comm);
    }

    private static MemorySegment buffer(long[] parts) {
        return Arena.global()
                .allocate(Math.max(1, Arrays.stream(parts).sum()), 64)
                .fill((byte) 1);
    }

    private static MemorySegment counts(long[] bytes) {
        return Arena.global()
                .allocateFrom(
                        ValueLayout.JAVA_INT,
                        Arrays.stream(bytes).mapToInt(Math::toIntExact).toArray());
    }

    private static MemorySegment places(long[] bytes) {
        int[] places = new int[bytes.length];
        for (int i = 1; i < places.length; i++) {
            places[i] = Math.toIntExact(places[i - 1] + bytes[i - 1]);
        }
        return Arena.global().allocateFrom(ValueLayout.JAVA_INT, places);
    }
}

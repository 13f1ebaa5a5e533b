package dev.weft.runtime;

import java.lang.foreign.MemorySegment;

/**
 * How the payload of collectives travels: what moves it, and the memory in which it is meanwhile. Segments are addresses
 * with a size in that memory, which only the carrier follows. Used by one thread.
 */
sealed interface Carrier extends AutoCloseable permits HostCarrier, DeviceCarrier {
    /** Elements of an operand with extents as bound now; of a result, room for them. */
    MemorySegment data(int i);

    /** Scales of an operand, empty if it has none. */
    MemorySegment scales(int i);

    /** Copies all of one operand to another of the same size. */
    void copy(MemorySegment from, MemorySegment to);

    /** As {@link dev.weft.spi.Communicator#allGather}. */
    void allGather(String what, MemorySegment send, MemorySegment receive);

    /**
     * Gathers several arrays at once. Of {@code send[i]}, which may be longer or shorter, {@code receive[i].byteSize() / ranks}
     * bytes go to every rank; what a shorter one lacks arrives as anything.
     */
    void allGather(String what, MemorySegment[] send, MemorySegment[] receive);

    /** As {@link dev.weft.spi.Communicator#allToAllV}. */
    void allToAllV(
            String what,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets);

    /** Rank 0's bytes to all. */
    void broadcast(String what, MemorySegment data);

    @Override
    void close();
}

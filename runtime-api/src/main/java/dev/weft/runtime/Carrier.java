package dev.weft.runtime;

import java.lang.foreign.MemorySegment;

/**
 * How the payload of collectives travels: what moves it, and the memory in which it is meanwhile. Segments are addresses
 * with a size in that memory, which only the carrier follows. Used by one thread.
 */
sealed interface Carrier extends AutoCloseable permits HostCarrier, DeviceCarrier {
    /** Memory that stays from node to node. */
    enum Scratch {
        SENT,
        RECEIVED
    }

    /** Elements of an operand with extents as bound now; of a result, room for them. */
    MemorySegment data(int i);

    /** Scales of an operand, empty if it has none. */
    MemorySegment scales(int i);

    /** Contents undefined. */
    MemorySegment scratch(Scratch which, long bytes);

    /** Copies pieces whose beginnings are so far apart at either end. */
    void copy(Rows from, Rows to, long bytes, long rows);

    /**
     * Where pieces begin.
     *
     * @param memory that holds them
     * @param offset of the first one
     * @param pitch bytes from one to the next
     */
    record Rows(MemorySegment memory, long offset, long pitch) {
        /** The {@code rows} pieces of {@code bytes} bytes. @throws IndexOutOfBoundsException if they are not all in the memory */
        MemorySegment span(long bytes, long rows) {
            return memory.asSlice(offset, (rows - 1) * pitch + bytes);
        }
    }

    /** As {@link dev.weft.spi.Communicator#allGather}. */
    void allGather(String what, MemorySegment send, MemorySegment receive);

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

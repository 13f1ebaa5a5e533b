package dev.weft.spi;

import java.lang.foreign.MemorySegment;

/**
 * A group of ranks, one process or thread each, that work on one model together. All ranks of a group call the same
 * methods in the same order; a call returns when this rank's part is done. One thread at a time.
 *
 * <p>It moves bytes and computes nothing: libraries sum in an order that depends on the number of ranks, so operators that
 * sum do it themselves, in rank order, on bytes that were moved. Segments are native. {@code what} names the work for
 * messages, as {@code "moeDispatch layers.3"}. Source: the operations every one of MPI, NCCL and HCCL has.
 *
 * <p>Every call has a deadline; host memory that goes through a device in pieces has one per piece. A rank that does not
 * answer by then, and every other failure, is a {@link dev.weft.CommunicatorException}; afterwards every call throws it
 * again. Memory that was given to a call that failed is not to be freed while {@link #isUnderWay}.
 */
public interface Communicator extends AutoCloseable {
    /** Name of the group, for messages: {@code world}, {@code experts}. */
    String name();

    /** This rank, {@code 0 <= rank < size}. */
    int rank();

    /** Ranks of the group. */
    int size();

    /** What carries the bytes, with its version, for reports: {@code Open MPI 4.1.4}. */
    String transport();

    /** Number of the step that now runs, for messages. */
    void step(long number);

    /**
     * A group of those ranks that name the same colour, in the order of their keys and then of their ranks here. Called by
     * all ranks. To be closed by the caller, before this group. A failure in it is one of this group.
     *
     * @param name of this rank's group; those of other colours may have others
     */
    Communicator split(String name, int color, int key);

    /** Returns when all ranks have called it. */
    void barrier(String what);

    /** Every rank receives the bytes of {@code root}. @param data of the same size on all ranks */
    void broadcast(String what, MemorySegment data, int root);

    /**
     * Every rank receives the bytes of all, in rank order.
     *
     * @param send of the same size on all ranks
     * @param receive {@code size()} times as large
     */
    void allGather(String what, MemorySegment send, MemorySegment receive);

    /**
     * Rank j receives {@code sendBytes[j]} bytes from {@code sendOffsets[j]} of this rank's {@code send}; what rank i sends
     * here arrives at {@code receiveOffsets[i]} of {@code receive}. Both sides know the sizes: {@code receiveBytes[i]} is what
     * rank i sends.
     *
     * @throws dev.weft.RequestException if an array does not have {@code size()} elements or a range is not in its segment
     */
    void allToAllV(
            String what,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets);

    /**
     * An all-to-all of many pieces of memory: the n-th piece that this rank has for rank j arrives in the n-th piece that rank j
     * has from this rank, and has as many bytes. As {@link #allToAllV} of the pieces one after another, unless the transport
     * can do better.
     */
    default void exchange(String what, Pieces send, Pieces receive) {
        PackedPieces.exchange(this, what, send, receive);
    }

    /** Sends bytes to a rank that calls {@link #receive}. */
    void send(String what, MemorySegment data, int to);

    /** Receives as many bytes as {@code data} has from a rank that calls {@link #send}. */
    void receive(String what, MemorySegment data, int from);

    /**
     * Whether parts of a call that failed may still be under way: its memory may still be read and written, until the process
     * ends. Segments whose memory is collected when nobody has them any more are kept by the group itself.
     */
    default boolean isUnderWay() {
        return false;
    }

    /** Ends the work of all ranks of the world as well as the transport can, with a reason that is logged. Never throws. */
    void abort(String reason);

    /** Leaves the group. Idempotent; does not wait for ranks that do not answer beyond the deadline. */
    @Override
    void close();
}

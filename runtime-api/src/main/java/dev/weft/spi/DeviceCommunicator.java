package dev.weft.spi;

/**
 * A group whose transport moves memory of one device itself: NCCL, HCCL. Addresses are of {@link #device}; sizes and offsets
 * are bytes, known to the host. What a method appends runs in the order of the stream, after what the stream held before; it
 * is done, or has failed, at the latest when the stream is synchronized. The methods for host memory, inherited, wait.
 */
public interface DeviceCommunicator extends Communicator {
    /** The device whose memory moves. */
    BackendDevice device();

    /** Appends an all-gather. @param bytes of every rank; {@code receive} has {@code size()} times as many */
    void allGather(String what, DeviceStream stream, long send, long receive, long bytes);

    /** Appends all-gathers of several arrays, together if the transport can. @param bytes of every array of every rank */
    default void allGather(String what, DeviceStream stream, long[] send, long[] receive, long[] bytes) {
        for (int i = 0; i < bytes.length; i++) {
            allGather(what, stream, send[i], receive[i], bytes[i]);
        }
    }

    /** Appends an all-to-all; sizes as {@link Communicator#allToAllV}. */
    void allToAllV(
            String what,
            DeviceStream stream,
            long send,
            long[] sendBytes,
            long[] sendOffsets,
            long receive,
            long[] receiveBytes,
            long[] receiveOffsets);

    /**
     * Whether {@link Capturing} of the device may record what the methods above append. All ranks then record the same calls at
     * the same time, and run their recordings at the same time; see {@link #agree}.
     */
    default boolean isRecordable() {
        return false;
    }

    /**
     * Says what all ranks know the next step by: a recording with calls of the group is made and run under one number only. Of
     * ranks whose steps differ in extents, no one otherwise knew whether the others have a recording of theirs.
     *
     * @param step equal on all ranks, and another one if any extents of any rank are others
     */
    default void agree(long step) {}

    /** The last number of {@link #agree}, 0 before. */
    default long agreed() {
        return 0;
    }

    /** Appends a broadcast of {@code root}'s bytes, in place. */
    void broadcast(String what, DeviceStream stream, long data, long bytes, int root);
}

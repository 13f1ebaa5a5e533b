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

    /** Appends a broadcast of {@code root}'s bytes, in place. */
    void broadcast(String what, DeviceStream stream, long data, long bytes, int root);
}

package dev.weft.spi;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Ordered queue of work on a device. Used by one thread at a time. Work may run before {@link #synchronize}, at the
 * latest then; a failure of enqueued work is thrown by {@link #synchronize} or by a later call.
 */
public interface DeviceStream extends AutoCloseable {
    /** Appends a host-to-device copy. The source must stay unchanged until the stream has passed it. */
    void copyIn(MemorySegment source, long target);

    /**
     * Appends several host-to-device copies whose targets do not overlap, as the inputs of a step. Devices on which each copy
     * costs a call do them with one. The sources, not the list, must stay unchanged until the stream has passed them.
     */
    default void copyIn(List<HostCopy> copies) {
        for (int i = 0; i < copies.size(); i++) {
            copyIn(copies.get(i).source(), copies.get(i).target());
        }
    }

    /** Appends a device-to-host copy. The target holds the bytes once the stream has passed it. */
    void copyOut(long source, MemorySegment target);

    /**
     * Appends a copy within the device's memory: {@code rows} pieces of {@code bytes} bytes, which begin {@code sourcePitch}
     * bytes apart where they are read and {@code targetPitch} where they are written. The two do not overlap.
     *
     * @param source address of the first piece
     * @param target address that it gets
     */
    void copy(long source, long sourcePitch, long target, long targetPitch, long bytes, long rows);

    /** A point after everything enqueued so far. */
    Event record();

    /** Makes later work of this stream wait for {@code event} of any stream of the same device. */
    void waitFor(Event event);

    /** Waits until everything enqueued is done. */
    void synchronize();

    @Override
    void close();

    /** A point in a stream. */
    interface Event {
        /** Whether the stream has passed the point. */
        boolean isDone();

        /** Waits until the stream has passed the point. */
        void synchronize();
    }
}

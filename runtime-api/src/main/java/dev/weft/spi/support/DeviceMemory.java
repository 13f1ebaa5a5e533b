package dev.weft.spi.support;

import dev.weft.ClosedException;
import dev.weft.DeviceMemoryException;
import dev.weft.spi.DeviceBuffer;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Device memory of one device. Weft allocates few and large buffers (all weights, all states, all values of a graph), so
 * every buffer is an allocation of its own that lives long. Buffers are freed when the streams have passed all work:
 * drivers free at once, whatever still runs.
 */
public final class DeviceMemory {
    private final String subject;
    private final DeviceThread thread;
    private final Source source;
    private final long limit;
    private final Set<Buffer> live = new LinkedHashSet<>();
    private long liveBytes;
    private boolean closed;

    /** The driver's calls, made on the device's thread. */
    public interface Source {
        /** Alignment of every allocation, a power of two. */
        long startAlignment();

        /** Bytes to allocate for {@code bytes}, which is 1 or more. */
        default long sizeOf(long bytes) {
            return bytes;
        }

        /**
         * Address of new memory.
         *
         * @throws DeviceMemoryException if there is not enough; sizes are added to its message
         */
        long allocate(long bytes);

        /** Frees memory; never throws. */
        void free(long address);

        /** Bytes the device has left; empty if nobody knows. */
        OptionalLong freeBytes();

        /** Waits until all streams have passed their work; never throws. */
        void awaitStreams();
    }

    /** @param limit most bytes at once, 0 for what the device has */
    public DeviceMemory(String subject, DeviceThread thread, long limit, Source source) {
        this.subject = subject;
        this.thread = thread;
        this.source = source;
        this.limit = limit > 0 ? limit : Long.MAX_VALUE;
    }

    /** @throws DeviceMemoryException with sizes if it does not fit */
    public DeviceBuffer allocate(long bytes, long alignment) {
        if (bytes < 0 || Long.bitCount(alignment) != 1) {
            throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes aligned to " + alignment
                    + ": expected a size of 0 or more and a power of two");
        }
        return thread.call(() -> allocateHere(bytes, alignment));
    }

    private Buffer allocateHere(long bytes, long alignment) {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
        // drivers refuse zero bytes; a buffer of nothing still has an address of its own
        long size = Math.addExact(source.sizeOf(Math.max(bytes, 1)), Math.max(0, alignment - source.startAlignment()));
        if (size > limit - liveBytes) {
            throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes: " + (limit - liveBytes)
                    + " free of the limit of " + limit + " (" + live.size()
                    + " buffers are open); close some or raise the memory limit");
        }
        Buffer buffer = new Buffer(take(bytes, size), bytes, size, alignment);
        live.add(buffer);
        liveBytes += size;
        return buffer;
    }

    private long take(long bytes, long size) {
        try {
            return source.allocate(size);
        } catch (DeviceMemoryException e) {
            OptionalLong free = source.freeBytes();
            throw new DeviceMemoryException(
                    subject + ": allocation of " + bytes + " bytes: "
                            + (free.isPresent()
                                    ? free.getAsLong() + " bytes are free on the device, "
                                    : "free bytes are unknown, ")
                            + liveBytes + " bytes in " + live.size() + " buffers are ours; " + e.getMessage(),
                    e);
        }
    }

    /** Bytes that could be allocated now. */
    public OptionalLong availableBytes() {
        return thread.call(() -> {
            OptionalLong free = source.freeBytes();
            return free.isPresent() ? OptionalLong.of(Math.min(limit - liveBytes, free.getAsLong())) : free;
        });
    }

    /** Bytes of open buffers, as allocated. */
    public long liveBytes() {
        return thread.call(() -> liveBytes);
    }

    /** Frees every buffer still open and says how many there were; on the device's thread. */
    public int close() {
        closed = true;
        List<Buffer> left = List.copyOf(live);
        left.forEach(Buffer::free);
        return left.size();
    }

    /** One allocation. */
    private final class Buffer implements DeviceBuffer {
        private final long start;
        private final long address;
        private final long bytes;
        private final long size;

        Buffer(long start, long bytes, long size, long alignment) {
            this.start = start;
            this.address = (start + alignment - 1) & -alignment;
            this.bytes = bytes;
            this.size = size;
        }

        @Override
        public long address() {
            return address;
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            try {
                thread.run(() -> {
                    if (live.contains(this)) {
                        source.awaitStreams();
                        free();
                    }
                });
            } catch (ClosedException e) {
                // the device was closed, which freed it
            }
        }

        private void free() {
            if (live.remove(this)) {
                liveBytes -= size;
                source.free(start);
            }
        }
    }
}

package dev.weft.backend.ascend;

import dev.weft.ClosedException;
import dev.weft.DeviceMemoryException;
import dev.weft.spi.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Device memory of one device. Weft allocates few and large buffers (all weights, all states, all values of a graph), so
 * every buffer is an allocation of its own that lives long; what lies inside follows the same size rule. Buffers are
 * freed when the streams have passed all work: CANN frees at once, whatever still runs.
 */
final class DeviceMemory {
    /** Start of every allocation, as documented for {@code aclrtMalloc}. */
    private static final long START_ALIGNMENT = 64;

    /** Huge pages where they fit, normal ones elsewhere: {@code ACL_MEM_MALLOC_HUGE_FIRST}. */
    private static final int HUGE_FIRST = 0;

    /** {@code ACL_HBM_MEM}. */
    private static final int HBM = 1;

    private final String subject;
    private final Acl acl;
    private final DeviceThread thread;
    private final Health health;
    private final SizeRule rule;
    private final long limit;
    private final Runnable awaitStreams;
    private final Set<Buffer> live = new LinkedHashSet<>();
    private long liveBytes;
    private boolean closed;

    /**
     * @param limit most bytes at once, 0 for what the device has
     * @param awaitStreams waits until all streams have passed their work; called on the device's thread
     */
    DeviceMemory(
            String subject,
            Acl acl,
            DeviceThread thread,
            Health health,
            SizeRule rule,
            long limit,
            Runnable awaitStreams) {
        this.subject = subject;
        this.acl = acl;
        this.thread = thread;
        this.health = health;
        this.rule = rule;
        this.limit = limit > 0 ? limit : Long.MAX_VALUE;
        this.awaitStreams = awaitStreams;
    }

    /** @throws DeviceMemoryException with sizes if it does not fit */
    DeviceBuffer allocate(long bytes, long alignment) {
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
        health.check();
        // zero bytes are refused by aclrtMalloc; a buffer of nothing still has an address of its own
        long size = Math.addExact(rule.sizeOf(Math.max(bytes, 1)), Math.max(0, alignment - START_ALIGNMENT));
        if (size > limit - liveBytes) {
            throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes: " + (limit - liveBytes)
                    + " free of the limit of " + limit + " (" + live.size()
                    + " buffers are open); close some or raise the memory limit");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            int code = acl.aclrtMalloc(out, size, HUGE_FIRST);
            if (AclErrors.kind(code) == AclErrors.Kind.MEMORY) {
                String message = health.recentMessage();
                throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes: aclrtMalloc(" + size
                        + ") returned " + code + " (" + AclErrors.name(code) + ")"
                        + (message.isEmpty() ? "" : ": " + message) + "; " + describeFree() + ", " + liveBytes
                        + " bytes in " + live.size() + " buffers are ours; " + AclErrors.remedy(code));
            }
            health.require(code, "aclrtMalloc(" + size + ")");
            Buffer buffer = new Buffer(out.get(ValueLayout.ADDRESS, 0), bytes, size, alignment);
            live.add(buffer);
            liveBytes += size;
            return buffer;
        }
    }

    private String describeFree() {
        OptionalLong free = freeHere();
        return free.isPresent() ? free.getAsLong() + " bytes are free on the device" : "free bytes are unknown";
    }

    /** Bytes that could be allocated now. */
    OptionalLong availableBytes() {
        return thread.call(() -> {
            OptionalLong free = freeHere();
            long left = limit - liveBytes;
            return free.isPresent() ? OptionalLong.of(Math.min(left, free.getAsLong())) : free;
        });
    }

    private OptionalLong freeHere() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG, 2);
            int code = acl.aclrtGetMemInfo(HBM, out, out.asSlice(8));
            if (code != AclErrors.OK) {
                health.note(code, "aclrtGetMemInfo");
                return OptionalLong.empty();
            }
            return OptionalLong.of(out.getAtIndex(ValueLayout.JAVA_LONG, 0));
        }
    }

    /** Bytes of open buffers, as allocated. */
    long liveBytes() {
        return thread.call(() -> liveBytes);
    }

    /** Frees every buffer still open and says how many there were; on the device's thread. */
    int close() {
        closed = true;
        List<Buffer> left = List.copyOf(live);
        left.forEach(Buffer::free);
        return left.size();
    }

    /** One allocation. */
    private final class Buffer implements DeviceBuffer {
        private final MemorySegment start;
        private final long address;
        private final long bytes;
        private final long size;

        Buffer(MemorySegment start, long bytes, long size, long alignment) {
            this.start = start;
            this.address = (start.address() + alignment - 1) & -alignment;
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
                        awaitStreams.run();
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
                health.note(acl.aclrtFree(start), "aclrtFree");
            }
        }
    }
}

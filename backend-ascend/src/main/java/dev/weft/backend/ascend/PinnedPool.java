package dev.weft.backend.ascend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/**
 * Page-locked host memory in chunks of one size. Copies go through it for two reasons: an asynchronous copy of pageable
 * memory would block until it is done, and sources may be mapped files, whose loss must be met in Java, not in a driver.
 */
final class PinnedPool {
    /** Bytes of a chunk. */
    static final long CHUNK = 4L << 20;

    /** Chunks kept for reuse. */
    private static final int KEPT = 8;

    private final Acl acl;
    private final DeviceThread thread;
    private final Health health;
    private final Deque<MemorySegment> free = new ArrayDeque<>();
    private final Set<Long> all = new HashSet<>();

    PinnedPool(Acl acl, DeviceThread thread, Health health) {
        this.acl = acl;
        this.thread = thread;
        this.health = health;
    }

    /** A chunk, contents undefined. */
    MemorySegment take() {
        synchronized (free) {
            MemorySegment chunk = free.pollFirst();
            if (chunk != null) {
                return chunk;
            }
        }
        return thread.call(() -> {
            health.check();
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
                health.require(acl.aclrtMallocHost(out, CHUNK), "aclrtMallocHost(" + CHUNK + ")");
                MemorySegment chunk = out.get(ValueLayout.ADDRESS, 0).reinterpret(CHUNK);
                all.add(chunk.address());
                return chunk;
            }
        });
    }

    /** Takes a chunk back; nothing may use it any more. */
    void give(MemorySegment chunk) {
        synchronized (free) {
            if (free.size() < KEPT) {
                free.addFirst(chunk);
                return;
            }
        }
        thread.run(() -> release(chunk.address()));
    }

    private void release(long address) {
        if (all.remove(address)) {
            health.note(acl.aclrtFreeHost(MemorySegment.ofAddress(address)), "aclrtFreeHost");
        }
    }

    /** Frees all chunks; on the device's thread, when no copy runs. */
    void close() {
        synchronized (free) {
            free.clear();
        }
        Set.copyOf(all).forEach(this::release);
    }
}

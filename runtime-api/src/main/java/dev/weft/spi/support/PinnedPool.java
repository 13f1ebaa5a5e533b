package dev.weft.spi.support;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Page-locked host memory in chunks of one size. Copies go through it for two reasons: an asynchronous copy of pageable
 * memory would block until it is done, and sources may be mapped files, whose loss must be met in Java, not in a driver.
 */
public final class PinnedPool {
    /** Bytes of a chunk. */
    public static final long CHUNK = 4L << 20;

    /** Chunks kept for reuse. */
    private static final int KEPT = 8;

    private final DeviceThread thread;
    private final Source source;
    private final Deque<MemorySegment> free = new ArrayDeque<>();
    private final Map<Long, MemorySegment> all = new HashMap<>();

    /** The driver's calls, made on the device's thread. */
    public interface Source {
        /** Page-locked memory. */
        MemorySegment allocatePinned(long bytes);

        /** Frees it; never throws. */
        void freePinned(MemorySegment memory);
    }

    /** An empty pool. */
    public PinnedPool(DeviceThread thread, Source source) {
        this.thread = thread;
        this.source = source;
    }

    /** A chunk, contents undefined. */
    public MemorySegment take() {
        synchronized (free) {
            MemorySegment chunk = free.pollFirst();
            if (chunk != null) {
                return chunk;
            }
        }
        return thread.call(() -> {
            MemorySegment chunk = source.allocatePinned(CHUNK);
            all.put(chunk.address(), chunk);
            return chunk;
        });
    }

    /** Takes a chunk back; nothing may use it any more. */
    public void give(MemorySegment chunk) {
        synchronized (free) {
            if (free.size() < KEPT) {
                free.addFirst(chunk);
                return;
            }
        }
        thread.run(() -> release(chunk));
    }

    private void release(MemorySegment chunk) {
        if (all.remove(chunk.address()) != null) {
            source.freePinned(chunk);
        }
    }

    /** Frees all chunks; on the device's thread, when no copy runs. */
    public void close() {
        synchronized (free) {
            free.clear();
        }
        List.copyOf(all.values()).forEach(this::release);
    }
}

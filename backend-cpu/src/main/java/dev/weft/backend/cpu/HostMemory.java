package dev.weft.backend.cpu;

import dev.weft.ClosedException;
import dev.weft.DeviceMemoryException;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * Host memory with accounts and a limit. It comes from the C library: an arena per buffer would cost a handshake of all
 * threads to close. Thread-safe.
 */
final class HostMemory {
    private static final Libc LIBC = NativeBinder.bind(
            MethodHandles.lookup(), Libc.class, Linker.nativeLinker().defaultLookup());

    /** Size of a huge page, and of the smallest buffer that asks for them. */
    private static final long HUGE_PAGE = 2L << 20;

    /** {@code MADV_HUGEPAGE} of Linux. */
    private static final int ADVISE_HUGE_PAGES = 14;

    private static final boolean LINUX = System.getProperty("os.name", "").equals("Linux");

    /** All of memory, for addresses that this process owns. */
    static final MemorySegment ALL = segment(0, Long.MAX_VALUE);

    private final String subject;
    private final long limit;
    private final Set<Buffer> live = Collections.newSetFromMap(new IdentityHashMap<>());
    private long liveBytes;
    private boolean closed;

    /** Functions of the C library. */
    interface Libc {
        @Symbol("aligned_alloc")
        MemorySegment alignedAlloc(long alignment, long bytes);

        void free(MemorySegment memory);

        int madvise(MemorySegment memory, long bytes, int advice);
    }

    /**
     * @param subject owner, for messages
     * @param limit most bytes at once, 0 for no limit
     */
    HostMemory(String subject, long limit) {
        this.subject = subject;
        this.limit = limit > 0 ? limit : Long.MAX_VALUE;
    }

    /** @throws UnsatisfiedLinkError if this module may not call native code */
    static void requireNativeAccess() {
        LIBC.free(MemorySegment.NULL);
    }

    /** Memory at an address that this process owns, without a check of its lifetime. */
    static MemorySegment segment(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    /** Uncounted scratch memory, contents undefined. @throws DeviceMemoryException if there is none */
    static MemorySegment allocateRaw(long bytes, long alignment) {
        MemorySegment memory = tryAllocate(bytes, alignment);
        if (memory.address() == 0) {
            throw new DeviceMemoryException("host: the system has no " + bytes + " bytes of scratch memory");
        }
        return memory.reinterpret(bytes);
    }

    /** Frees what {@link #allocateRaw} gave. */
    static void freeRaw(MemorySegment memory) {
        LIBC.free(memory);
    }

    private static MemorySegment tryAllocate(long bytes, long alignment) {
        boolean huge = LINUX && bytes >= HUGE_PAGE;
        long aligned = Math.max(alignment, huge ? HUGE_PAGE : Long.BYTES);
        // aligned_alloc wants whole multiples of the alignment
        long size = Math.ceilDiv(Math.max(bytes, 1), aligned) * aligned;
        MemorySegment memory = LIBC.alignedAlloc(aligned, size);
        if (huge && memory.address() != 0) {
            // before the first touch, or the pages are small already; where the system refuses they stay small
            LIBC.madvise(memory, size, ADVISE_HUGE_PAGES);
        }
        return memory;
    }

    /** See {@link dev.weft.spi.BackendDevice#allocate}. */
    synchronized DeviceBuffer allocate(long bytes, long alignment) {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
        if (bytes < 0 || Long.bitCount(alignment) != 1 || alignment < 0) {
            throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes aligned to " + alignment
                    + ": expected a size of 0 or more and a power of two");
        }
        if (bytes > limit - liveBytes) {
            throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes: " + (limit - liveBytes)
                    + " free of the limit of " + limit + " (" + live.size()
                    + " buffers are open); close some or raise the memory limit");
        }
        MemorySegment memory = tryAllocate(bytes, alignment);
        if (memory.address() == 0) {
            throw new DeviceMemoryException(subject + ": allocation of " + bytes + " bytes: the system refused, "
                    + liveBytes + " bytes are in use, limit " + limit);
        }
        Buffer buffer = new Buffer(memory, bytes);
        live.add(buffer);
        liveBytes += bytes;
        return buffer;
    }

    /** Bytes of open buffers. */
    synchronized long liveBytes() {
        return liveBytes;
    }

    /** Bytes that the limit leaves. */
    synchronized long freeBytes() {
        return limit - liveBytes;
    }

    /** Number of open buffers. */
    synchronized int liveCount() {
        return live.size();
    }

    /** Frees every buffer still open and says how many there were. Closing those buffers later does nothing. */
    synchronized int close() {
        closed = true;
        List<Buffer> left = List.copyOf(live);
        left.forEach(Buffer::close);
        return left.size();
    }

    private synchronized void free(Buffer buffer) {
        if (live.remove(buffer)) {
            liveBytes -= buffer.bytes;
            LIBC.free(buffer.memory);
        }
    }

    /** The bytes stay in use. */
    private synchronized void forget(Buffer buffer) {
        live.remove(buffer);
    }

    private synchronized void requireLive(Buffer buffer) {
        if (!live.contains(buffer)) {
            throw new ClosedException(subject + ": buffer of " + buffer.bytes + " bytes: used after close");
        }
    }

    /** One allocation. */
    private final class Buffer implements DeviceBuffer {
        private final MemorySegment memory;
        private final long bytes;

        Buffer(MemorySegment memory, long bytes) {
            this.memory = memory;
            this.bytes = bytes;
        }

        @Override
        public long address() {
            requireLive(this);
            return memory.address();
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            free(this);
        }

        @Override
        public void abandon() {
            forget(this);
        }
    }
}

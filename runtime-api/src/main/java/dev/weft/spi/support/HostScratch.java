package dev.weft.spi.support;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Host memory that is used again at every step and grows when one needs more. Not thread-safe. */
public final class HostScratch {
    private static final long ALIGNMENT = 64;

    private MemorySegment whole = MemorySegment.NULL;
    private MemorySegment used = MemorySegment.NULL;

    /** Exactly {@code bytes} bytes, contents undefined; the same memory as the last call's. */
    public MemorySegment bytes(long bytes) {
        if (bytes > whole.byteSize()) {
            whole = Arena.ofAuto().allocate(bytes, ALIGNMENT);
        }
        if (bytes != used.byteSize() || whole.address() != used.address()) {
            used = whole.asSlice(0, bytes);
        }
        return used;
    }

    /** Leaves the memory to the collector. */
    public void release() {
        whole = MemorySegment.NULL;
        used = MemorySegment.NULL;
    }
}

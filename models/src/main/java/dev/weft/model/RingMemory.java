package dev.weft.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Host memory for copies of one sequence's rings. All copies have one size and their memory is used again, so that any
 * number of them may come and go without growth. Not thread-safe.
 */
final class RingMemory {
    private static final long ALIGNMENT = 64;

    private final long bytes;
    private final Deque<MemorySegment> free = new ArrayDeque<>();
    private int allocated;

    RingMemory(long bytes) {
        this.bytes = bytes;
    }

    /** Memory for one copy, contents undefined; to be given back. */
    MemorySegment take() {
        MemorySegment used = free.poll();
        if (used != null) {
            return used;
        }
        MemorySegment fresh = Arena.ofAuto().allocate(Math.max(bytes, 1), ALIGNMENT);
        allocated++;
        return fresh;
    }

    void give(MemorySegment memory) {
        free.push(memory);
    }

    /** Bytes of one copy. */
    long bytes() {
        return bytes;
    }

    /** Bytes of all copies there ever were at once. */
    long allocatedBytes() {
        return allocated * bytes;
    }
}

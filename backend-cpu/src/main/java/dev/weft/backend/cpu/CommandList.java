package dev.weft.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** An array of {@code weft_command} outside the heap that is filled, run any number of times and emptied again.
 * Not thread-safe. */
final class CommandList implements AutoCloseable {
    /** 64-bit words of a {@code weft_command}: op, attributes, operands, workspace. */
    private static final int WORDS = 4;

    private static final long BYTES = WORDS * 8L;
    private static final int FIRST_CAPACITY = 256;

    private Arena arena = Arena.ofShared();
    private MemorySegment words = arena.allocate(FIRST_CAPACITY * BYTES, 64);
    private long size;

    long size() {
        return size;
    }

    void add(long op, long attributes, long operands, long workspace) {
        if (size * BYTES == words.byteSize()) {
            grow();
        }
        long at = size++ * WORDS;
        words.setAtIndex(ValueLayout.JAVA_LONG, at, op);
        words.setAtIndex(ValueLayout.JAVA_LONG, at + 1, attributes);
        words.setAtIndex(ValueLayout.JAVA_LONG, at + 2, operands);
        words.setAtIndex(ValueLayout.JAVA_LONG, at + 3, workspace);
    }

    @SuppressWarnings("MustBeClosedChecker") // the list owns the arena and closes it with itself
    private void grow() {
        Arena larger = Arena.ofShared();
        MemorySegment copy = larger.allocate(2 * words.byteSize(), 64).copyFrom(words);
        arena.close();
        arena = larger;
        words = copy;
    }

    /** Where command {@code index} is, until the next {@link #add}. */
    long address(long index) {
        return words.address() + index * BYTES;
    }

    void clear() {
        size = 0;
    }

    @Override
    public void close() {
        arena.close();
    }
}

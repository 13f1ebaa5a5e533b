package dev.weft.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What the system lets us decide about processors and memory nodes, as the native library finds it. */
final class Host {
    /** More than any system has. */
    static final int MOST_PROCESSORS = 4096;

    private final Optional<WeftLibrary> library;
    private final String limits;

    private Host(Optional<WeftLibrary> library, String limits) {
        this.library = library;
        this.limits = limits;
    }

    static Host with(WeftLibrary library) {
        return new Host(Optional.of(library), "the system does not say which there are");
    }

    /** @param reason why there is no native library */
    static Host without(String reason) {
        return new Host(Optional.empty(), "it needs the native library: " + reason);
    }

    /** Why {@link #processors} or {@link #memoryNodes} may be empty. */
    String limits() {
        return limits;
    }

    /** Processors that this process may use, ascending; empty if unknown. */
    List<Integer> processors() {
        if (library.isEmpty()) {
            return List.of();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment numbers = arena.allocate(ValueLayout.JAVA_INT, MOST_PROCESSORS);
            int count = Math.min(library.get().processors(numbers, MOST_PROCESSORS), MOST_PROCESSORS);
            List<Integer> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                all.add(numbers.getAtIndex(ValueLayout.JAVA_INT, i));
            }
            return all;
        }
    }

    /** Memory nodes that this process may use; 0 if unknown. */
    int memoryNodes() {
        return library.map(WeftLibrary::memoryNodes).orElse(0);
    }

    /** Spreads pages that nobody has touched over all memory nodes; says whether the system did. */
    boolean interleave(long address, long bytes) {
        return library.isPresent() && library.get().interleave(address, bytes) == 0;
    }
}

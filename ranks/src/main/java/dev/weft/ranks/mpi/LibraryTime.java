package dev.weft.ranks.mpi;

/**
 * Time in functions of the library and in pauses between two polls, counted while somebody asks for it: reading the clock
 * costs as much as such a function. Used by one thread.
 */
final class LibraryTime {
    private boolean counts;
    private long nanos;

    void count(boolean on) {
        counts = on;
    }

    /** Nanoseconds so far. */
    long nanos() {
        return nanos;
    }

    /** The clock, to be given to {@link #add}. */
    long read() {
        return counts ? System.nanoTime() : 0;
    }

    void add(long start) {
        if (counts) {
            nanos += System.nanoTime() - start;
        }
    }
}

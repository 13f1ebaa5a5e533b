package dev.weft.model;

import java.lang.foreign.MemorySegment;

/**
 * A sequence at one position, apart from any session: its rings as a copy on the host, its pages by reference. Rings are
 * overwritten as a sequence goes on, pages are not: whoever writes to a shared one copies it first.
 *
 * @param progress tokens and counters
 * @param rings a copy of the sequence's rings, in the order of the plan
 * @param pages the pages, one reference held on each
 */
record Snapshot(Progress progress, MemorySegment rings, int[] pages) {
    /** Bytes on the host. */
    long hostBytes() {
        return rings.byteSize() + progress.hidden().bytes() + (long) Integer.BYTES * progress.tokens().length;
    }

    /** Itself only: two snapshots of one sequence are two. */
    @Override
    public boolean equals(Object o) {
        return this == o;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}

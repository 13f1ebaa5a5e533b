package dev.weft.runtime;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Moves rows of several arrays between ranks in one all-to-all. Used by one thread; keeps its buffers. */
abstract sealed class RowExchange permits HostRowExchange, DeviceRowExchange {
    /**
     * One array of both sides: rows of {@code rowBytes} bytes that travel.
     *
     * @param from rows that are sent, {@code fromPitch} bytes apart
     * @param fromPerRank bytes from what goes to one rank to what goes to the next in the same row, 0 if all get the same
     * @param to rows that are received, {@code toPitch} bytes apart
     * @param toPerRank bytes from what comes from one rank to what comes from the next in the same row
     */
    record Column(
            MemorySegment from,
            long fromPitch,
            long fromPerRank,
            MemorySegment to,
            long toPitch,
            long toPerRank,
            long rowBytes) {
        /** Whole rows on both sides. */
        static Column whole(MemorySegment from, MemorySegment to, long rowBytes) {
            return new Column(from, rowBytes, 0, to, rowBytes, 0, rowBytes);
        }
    }

    /** What the next exchange moves. */
    final List<Column> columns = new ArrayList<>();

    /** Adds an array to the next exchange. */
    final RowExchange with(Column column) {
        columns.add(column);
        return this;
    }

    /** Moves the rows of all arrays that were added, and forgets the arrays. */
    final void run(String what, Route from, Route to) {
        try {
            move(what, from, to);
        } finally {
            columns.clear();
        }
    }

    /** Moves the rows of {@link #columns}. */
    abstract void move(String what, Route from, Route to);
}

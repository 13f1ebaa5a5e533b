package dev.weft.runtime;

import dev.weft.runtime.Carrier.Rows;
import dev.weft.runtime.Carrier.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Moves rows between ranks in one all-to-all: everything that belongs to one row (codes, scales, weight) goes in one message
 * per pair of ranks, array after array. Used by one thread; keeps its buffers.
 */
final class RowExchange {
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

    private final Carrier carrier;
    private final List<Column> columns = new ArrayList<>();
    private final long[] sendBytes;
    private final long[] sendOffsets;
    private final long[] receiveBytes;
    private final long[] receiveOffsets;

    /** @param n ranks of the group */
    RowExchange(Carrier carrier, int n) {
        this.carrier = carrier;
        sendBytes = new long[n];
        sendOffsets = new long[n];
        receiveBytes = new long[n];
        receiveOffsets = new long[n];
    }

    /** Adds an array to the next exchange. */
    RowExchange with(Column column) {
        columns.add(column);
        return this;
    }

    /** Moves the rows of all arrays that were added, and forgets the arrays. */
    void run(String what, Route from, Route to) {
        try {
            long rowBytes = 0;
            for (int c = 0; c < columns.size(); c++) {
                rowBytes += columns.get(c).rowBytes();
            }
            MemorySegment out = carrier.scratch(Scratch.SENT, lay(from, rowBytes, sendBytes, sendOffsets));
            MemorySegment in = carrier.scratch(Scratch.RECEIVED, lay(to, rowBytes, receiveBytes, receiveOffsets));
            copy(from, sendOffsets, out, true);
            carrier.allToAllV(what, out, sendBytes, sendOffsets, in, receiveBytes, receiveOffsets);
            copy(to, receiveOffsets, in, false);
        } finally {
            columns.clear();
        }
    }

    /** One message per rank, one after another. Returns the bytes of all. */
    private static long lay(Route route, long rowBytes, long[] bytes, long[] offsets) {
        long at = 0;
        for (int r = 0; r < bytes.length; r++) {
            bytes[r] = Math.multiplyExact(route.rowsOf(r), rowBytes);
            offsets[r] = at;
            at += bytes[r];
        }
        return at;
    }

    private void copy(Route route, long[] offsets, MemorySegment messages, boolean out) {
        int other = -1;
        long done = 0; // rows of the rank's message that are behind
        for (int i = 0; i < route.runs(); i++) {
            done = route.rank(i) == other ? done : 0;
            other = route.rank(i);
            long array = offsets[other];
            for (int c = 0; c < columns.size(); c++) {
                Column column = columns.get(c);
                copy(column, other, route.first(i), route.rows(i), messages, array + done * column.rowBytes(), out);
                array += route.rowsOf(other) * column.rowBytes();
            }
            done += route.rows(i);
        }
    }

    private void copy(Column c, int other, long first, long rows, MemorySegment messages, long at, boolean out) {
        long pitch = out ? c.fromPitch() : c.toPitch();
        long start = first * pitch + other * (out ? c.fromPerRank() : c.toPerRank());
        Rows array = new Rows(out ? c.from() : c.to(), start, pitch);
        Rows message = new Rows(messages, at, c.rowBytes());
        carrier.copy(out ? array : message, out ? message : array, c.rowBytes(), rows);
    }
}

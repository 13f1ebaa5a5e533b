package dev.weft.runtime;

import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Moves rows between ranks in one all-to-all. Long runs of rows travel from where they lie to where they belong; everything
 * else that goes to one rank (short runs, scales, weights) is packed into one message, array after array. Used by one thread;
 * keeps its buffers.
 */
final class RowExchange {
    /** From so many bytes in a run of rows on, a message of its own costs less than two copies. */
    private static final long LONG_RUN = 8 << 10;

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

        private boolean isWhole() {
            return fromPitch == rowBytes && toPitch == rowBytes;
        }
    }

    private final Communicator group;
    private final Side out;
    private final Side in;
    private final List<Column> columns = new ArrayList<>();

    RowExchange(Communicator group) {
        this.group = group;
        this.out = new Side(true);
        this.in = new Side(false);
    }

    /** Adds an array to the next exchange. */
    RowExchange with(Column column) {
        columns.add(column);
        return this;
    }

    /** Moves the rows of all arrays that were added, and forgets the arrays. */
    void run(String what, Route from, Route to) {
        try {
            out.lay(from);
            in.lay(to);
            out.copy(from);
            group.exchange(what, out.pieces, in.pieces);
            in.copy(to);
        } finally {
            columns.clear();
        }
    }

    /** What is known to both sides decides, so that they agree. What stays here need not be packed. */
    private boolean isDirect(Column c, int rank, Route route) {
        return c.isWhole()
                && (rank == group.rank() || c.rowBytes() * route.rowsOf(rank) >= LONG_RUN * route.runsOf(rank));
    }

    /** What is sent, or what is received. */
    private final class Side {
        private final boolean sends;
        private final HostScratch packed = new HostScratch();
        private final Pieces pieces = new Pieces(group.size());
        private final long[] offsets = new long[group.size()];
        private MemorySegment messages = MemorySegment.NULL;

        Side(boolean sends) {
            this.sends = sends;
        }

        /** Lists the pieces: per rank the message of what is packed, then the long runs. */
        void lay(Route route) {
            long bytes = 0;
            for (int r = 0; r < group.size(); r++) {
                offsets[r] = bytes;
                bytes += route.rowsOf(r) * packedRow(r, route);
            }
            messages = packed.bytes(bytes);
            pieces.clear();
            int run = 0;
            for (int r = 0; r < group.size(); r++) {
                long message = (r + 1 < group.size() ? offsets[r + 1] : bytes) - offsets[r];
                if (message > 0) {
                    pieces.add(r, messages.address() + offsets[r], message);
                }
                int end = run + route.runsOf(r);
                for (int c = 0; c < columns.size(); c++) {
                    Column column = columns.get(c);
                    for (int i = run; i < end && isDirect(column, r, route); i++) {
                        long at = memory(column).address() + route.first(i) * column.rowBytes();
                        pieces.add(r, at, route.rows(i) * column.rowBytes());
                    }
                }
                run = end;
            }
        }

        private long packedRow(int rank, Route route) {
            long bytes = 0;
            for (int c = 0; c < columns.size(); c++) {
                bytes += isDirect(columns.get(c), rank, route) ? 0 : columns.get(c).rowBytes();
            }
            return bytes;
        }

        private MemorySegment memory(Column c) {
            return sends ? c.from() : c.to();
        }

        /** Packs, or unpacks. */
        void copy(Route route) {
            int other = -1;
            long done = 0; // rows of the rank's message that are behind
            for (int i = 0; i < route.runs(); i++) {
                done = route.rank(i) == other ? done : 0;
                other = route.rank(i);
                long array = offsets[other];
                for (int c = 0; c < columns.size(); c++) {
                    Column column = columns.get(c);
                    if (!isDirect(column, other, route)) {
                        copy(column, other, route.first(i), route.rows(i), array + done * column.rowBytes());
                        array += route.rowsOf(other) * column.rowBytes();
                    }
                }
                done += route.rows(i);
            }
        }

        private void copy(Column c, int other, long first, long rows, long at) {
            long pitch = sends ? c.fromPitch() : c.toPitch();
            long start = first * pitch + other * (sends ? c.fromPerRank() : c.toPerRank());
            boolean dense = pitch == c.rowBytes();
            long step = dense ? rows * pitch : c.rowBytes();
            for (long i = 0; i < (dense ? 1 : rows); i++) {
                if (sends) {
                    MemorySegment.copy(c.from(), start + i * pitch, messages, at + i * step, step);
                } else {
                    MemorySegment.copy(messages, at + i * step, c.to(), start + i * pitch, step);
                }
            }
        }
    }
}

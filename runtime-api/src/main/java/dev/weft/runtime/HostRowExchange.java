package dev.weft.runtime;

import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;

/**
 * Rows in host memory, moved with as few copies as messages allow. Of every array, what goes from one rank to
 * another is one message per run of rows if the runs are long on average, else one message; what is small shares one. Both sides decide
 * that alike. A message whose rows lie side by side is moved from where they are or to where they belong; others are packed
 * or unpacked.
 */
final class HostRowExchange extends RowExchange {
    /** From so many bytes in a run of rows on, on average, a message of its own costs less than a copy. */
    private static final long LONG_RUN = 8 << 10;

    /** Up to so many bytes, a copy costs less than a message of its own. */
    private static final long SMALL = 4 << 10;

    private final Communicator group;
    private final Side out;
    private final Side in;

    HostRowExchange(Communicator group) {
        this.group = group;
        this.out = new Side(true);
        this.in = new Side(false);
    }

    @Override
    void move(String what, Route from, Route to) {
        out.lay(from);
        in.lay(to);
        out.copy(from);
        group.exchange(what, out.pieces, in.pieces);
        in.copy(to);
    }

    /** How a column's rows travel between this rank and another. */
    private enum Way {
        BY_RUN,
        SMALL,
        WHOLE
    }

    private Way way(Column c, int rank, Route route) {
        long bytes = c.rowBytes() * route.rowsOf(rank);
        boolean dense = c.fromPitch() == c.rowBytes() && c.toPitch() == c.rowBytes();
        if (dense && (rank == group.rank() || bytes >= LONG_RUN * route.runsOf(rank))) {
            return Way.BY_RUN;
        }
        return bytes < SMALL ? Way.SMALL : Way.WHOLE;
    }

    /** What is sent, or what is received. */
    private final class Side {
        private static final int IN_PLACE = -1;

        private final boolean sends;
        private final HostScratch scratch = new HostScratch();
        private final Pieces pieces = new Pieces(group.size());
        private MemorySegment packed = MemorySegment.NULL;
        /** By rank and column: where its rows are packed, or {@link #IN_PLACE}. */
        private long[] places = new long[0];

        private Way[] ways = new Way[0];

        Side(boolean sends) {
            this.sends = sends;
        }

        /** Lists the messages: per rank what is small, then column after column. */
        void lay(Route route) {
            packed = scratch.bytes(place(route));
            pieces.clear();
            int run = 0;
            for (int r = 0; r < group.size(); r++) {
                int end = run + route.runsOf(r);
                if (end > run) {
                    addSmall(route, r);
                    for (int c = 0; c < columns.size(); c++) {
                        add(route, r, c, run, end);
                    }
                }
                run = end;
            }
        }

        /** Finds places for what is packed, the small columns of a rank side by side. Returns the bytes of all. */
        private long place(Route route) {
            int n = columns.size();
            if (places.length != n * group.size()) {
                places = new long[n * group.size()];
                ways = new Way[n * group.size()];
            }
            long at = 0;
            int run = 0;
            for (int r = 0; r < group.size(); r++) {
                int end = run + route.runsOf(r);
                if (end > run) {
                    at = place(route, r, run, end, at);
                }
                run = end;
            }
            return at;
        }

        private long place(Route route, int r, int run, int end, long from) {
            int n = columns.size();
            long at = from;
            boolean together = areNeighbours(route, run, end);
            for (int c = 0; c < n; c++) {
                Column column = columns.get(c);
                Way way = way(column, r, route);
                ways[r * n + c] = way;
                places[r * n + c] = IN_PLACE;
                if (way == Way.SMALL) {
                    places[r * n + c] = at;
                    at += route.rowsOf(r) * column.rowBytes();
                }
            }
            for (int c = 0; c < n; c++) {
                Column column = columns.get(c);
                if (ways[r * n + c] == Way.WHOLE && !(together && pitch(column) == column.rowBytes())) {
                    places[r * n + c] = at;
                    at += route.rowsOf(r) * column.rowBytes();
                }
            }
            return at;
        }

        private static boolean areNeighbours(Route route, int run, int end) {
            for (int i = run + 1; i < end; i++) {
                if (route.first(i) != route.first(i - 1) + route.rows(i - 1)) {
                    return false;
                }
            }
            return true;
        }

        private void addSmall(Route route, int r) {
            int n = columns.size();
            long first = -1;
            long bytes = 0;
            for (int c = 0; c < n; c++) {
                if (ways[r * n + c] == Way.SMALL) {
                    first = bytes == 0 ? places[r * n + c] : first;
                    bytes += route.rowsOf(r) * columns.get(c).rowBytes();
                }
            }
            if (bytes > 0) {
                pieces.add(r, packed.address() + first, bytes);
            }
        }

        private void add(Route route, int r, int c, int run, int end) {
            Column column = columns.get(c);
            long row = column.rowBytes();
            int at = r * columns.size() + c;
            switch (ways[at]) {
                case BY_RUN -> {
                    for (int i = run; i < end; i++) {
                        pieces.add(r, start(column, r, route.first(i)), route.rows(i) * row);
                    }
                }
                case WHOLE -> {
                    long place = places[at];
                    long address =
                            place == IN_PLACE ? start(column, r, route.first(run)) : packed.address() + place;
                    pieces.add(r, address, route.rowsOf(r) * row);
                }
                case SMALL -> {} // added before
            }
        }

        private long pitch(Column c) {
            return sends ? c.fromPitch() : c.toPitch();
        }

        private MemorySegment memory(Column c) {
            return sends ? c.from() : c.to();
        }

        private long offset(Column c, int rank, long row) {
            return row * pitch(c) + rank * (sends ? c.fromPerRank() : c.toPerRank());
        }

        private long start(Column c, int rank, long row) {
            return memory(c).address() + offset(c, rank, row);
        }

        /** Packs, or unpacks. */
        void copy(Route route) {
            int n = columns.size();
            int other = -1;
            long done = 0; // rows of the rank that are behind
            for (int i = 0; i < route.runs(); i++) {
                done = route.rank(i) == other ? done : 0;
                other = route.rank(i);
                for (int c = 0; c < n; c++) {
                    long place = places[other * n + c];
                    if (place != IN_PLACE) {
                        Column column = columns.get(c);
                        copy(column, other, route.first(i), route.rows(i), place + done * column.rowBytes());
                    }
                }
                done += route.rows(i);
            }
        }

        private void copy(Column c, int other, long first, long rows, long at) {
            long pitch = pitch(c);
            long start = offset(c, other, first);
            boolean dense = pitch == c.rowBytes();
            long step = dense ? rows * pitch : c.rowBytes();
            for (long i = 0; i < (dense ? 1 : rows); i++) {
                if (sends) {
                    MemorySegment.copy(c.from(), start + i * pitch, packed, at + i * step, step);
                } else {
                    MemorySegment.copy(packed, at + i * step, c.to(), start + i * pitch, step);
                }
            }
        }
    }
}

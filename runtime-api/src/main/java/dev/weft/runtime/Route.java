package dev.weft.runtime;

import java.util.Arrays;

/**
 * Rows of one side of an exchange: runs of consecutive rows, each for one other rank, in the order of the ranks. For what one
 * side lists for a rank, that rank's side lists as many runs of as many rows, in the same order: neither may join or split
 * them. Used again from step to step.
 */
final class Route {
    private final long[] rowsOf;
    private final int[] runsOf;
    private int[] rank = new int[16];
    private long[] first = new long[16];
    private long[] rows = new long[16];
    private int runs;

    Route(int ranks) {
        rowsOf = new long[ranks];
        runsOf = new int[ranks];
    }

    /** Forgets all runs. */
    Route clear() {
        runs = 0;
        Arrays.fill(rowsOf, 0);
        Arrays.fill(runsOf, 0);
        return this;
    }

    /** Adds {@code count} rows from {@code row} on; ranks in ascending order. */
    void add(int to, long row, long count) {
        if (count == 0) {
            return;
        }
        if (runs == rank.length) {
            rank = Arrays.copyOf(rank, 2 * runs);
            first = Arrays.copyOf(first, 2 * runs);
            rows = Arrays.copyOf(rows, 2 * runs);
        }
        rank[runs] = to;
        first[runs] = row;
        rows[runs++] = count;
        rowsOf[to] += count;
        runsOf[to]++;
    }

    /** Number of runs. */
    int runs() {
        return runs;
    }

    int rank(int run) {
        return rank[run];
    }

    long first(int run) {
        return first[run];
    }

    long rows(int run) {
        return rows[run];
    }

    /** Rows for one rank in all. */
    long rowsOf(int other) {
        return rowsOf[other];
    }

    /** Runs for one rank. */
    int runsOf(int other) {
        return runsOf[other];
    }
}

package dev.weft.runtime;

import dev.weft.RequestException;
import dev.weft.op.ExpertTable;
import dev.weft.op.MoeSend;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where rows sorted by expert go and where they come from: rows lie by (expert, source rank, source row) at the rank that
 * holds the expert. Every rank learns the offsets of all, so that all refuse together what one of them cannot hold. A step
 * of one token does all of this too: it has rows for a few experts only, and so only those are looked at. Used by one
 * thread.
 */
final class MoeRoutes {
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;

    private final Communicator group;
    private final Route atSender;
    private final Route atHolder;
    private final HostScratch all = new HostScratch();
    private final Map<ExpertTable, Held> held = new IdentityHashMap<>();
    /** Rows from (rank, expert held here). */
    private long[] counts = new long[0];
    /** Where counts are not zero, ascending. */
    private int[] places = new int[0];

    private int filled;
    /** Per expert held here its first row, and the total. */
    private int[] firsts = new int[0];

    private int[] next = new int[0];
    /** Per rank where the next of the experts that it receives is noted. */
    private final int[] turn;
    /** Experts for which this rank has rows, ascending, and by receiver. */
    private int[] used = new int[0];

    private int[] sent = new int[0];
    private int[] own = new int[0];
    private int[] everyone = new int[0];
    private @Nullable ExpertTable current;
    private int slots;

    MoeRoutes(Communicator group) {
        this.group = group;
        this.atSender = new Route(group.size());
        this.atHolder = new Route(group.size());
        this.turn = new int[group.size()];
    }

    /**
     * A table as this rank uses it.
     *
     * @param to per sender and expert the rank that receives
     * @param slot per expert its place among those held here
     */
    private record Held(int[][] to, int[] slot) {
        static Held of(ExpertTable table, int rank) {
            int[][] to = new int[table.size()][table.experts()];
            for (int s = 0; s < to.length; s++) {
                for (int e = 0; e < table.experts(); e++) {
                    to[s][e] = table.rankOf(e, s);
                }
            }
            int[] slot = new int[table.experts()];
            int n = 0;
            for (int e : table.ranks().get(rank)) {
                slot[e] = n++;
            }
            return new Held(to, slot);
        }
    }

    /** Rows as they lie where they were sorted. */
    Route atSender() {
        return atSender;
    }

    /** Rows as they lie where the experts are. */
    Route atHolder() {
        return atHolder;
    }

    /** Rows that come to this rank. */
    long received() {
        return firsts[slots];
    }

    /** Finds the routes together with the other ranks. @throws RequestException on all ranks if one cannot hold its rows */
    void meet(String what, MoeSend op, MemorySegment offsets) {
        Held table = prepare(op.table());
        int ranks = group.size();
        MemorySegment gathered = all.bytes(ranks * offsets.byteSize());
        group.allGather(what, offsets, gathered);
        int each = own.length;
        if (everyone.length != ranks * each) {
            everyone = new int[ranks * each];
        }
        MemorySegment.copy(gathered, I32, 0, everyone, 0, everyone.length);
        requireRoom(what, op, table);
        clearCounts();
        for (int s = 0; s < ranks; s++) {
            int[] to = table.to()[s];
            int base = s * each;
            for (int e = nextUsed(everyone, base, 0); e < each - 1; e = nextUsed(everyone, base, e + 1)) {
                if (to[e] == group.rank()) {
                    fill(s * slots + table.slot()[e], rows(s, e));
                }
            }
        }
        System.arraycopy(everyone, group.rank() * each, own, 0, each);
        route(table);
        current = op.table();
    }

    /**
     * First expert from {@code e} on with rows, by the offsets from {@code base} on; the number of experts if there is none.
     * Offsets stay the same over experts without rows, over which the comparison of an array with itself moved by one runs
     * many at a time.
     */
    private int nextUsed(int[] offsets, int base, int e) {
        int experts = own.length - 1;
        int equal =
                Arrays.mismatch(offsets, base + e, base + experts, offsets, base + e + 1, base + experts + 1);
        return equal < 0 ? experts : e + equal;
    }

    private void clearCounts() {
        for (int n = 0; n < filled; n++) {
            counts[places[n]] = 0;
        }
        filled = 0;
    }

    private void fill(int at, long rows) {
        counts[at] = rows;
        places[filled++] = at;
    }

    /** Rows that a rank has for an expert. */
    private long rows(int rank, int expert) {
        int at = rank * own.length + expert;
        return (long) everyone[at + 1] - everyone[at];
    }

    private Held prepare(ExpertTable table) {
        current = null; // until there are routes
        slots = table.slots();
        if (counts.length != group.size() * slots) {
            counts = new long[group.size() * slots];
            filled = 0;
            places = new int[counts.length];
            firsts = new int[slots + 1];
            next = new int[slots];
        }
        if (own.length != table.experts() + 1) {
            own = new int[table.experts() + 1];
            used = new int[table.experts()];
            sent = new int[table.experts()];
        }
        return held.computeIfAbsent(table, t -> Held.of(t, group.rank()));
    }

    private void requireRoom(String what, MoeSend op, Held table) {
        long rows = 0;
        for (int r = 1; r <= group.size(); r++) {
            rows += everyone[r * own.length - 1];
        }
        if (rows <= op.received().maximum()) {
            return; // even if all went to one rank
        }
        for (int r = 0; r < group.size(); r++) {
            requireRoom(what, op, r, table.to());
        }
    }

    private void requireRoom(String what, MoeSend op, int rank, int[][] to) {
        long total = 0;
        long most = -1;
        int fullest = 0;
        for (int e : op.table().ranks().get(rank)) {
            long rows = 0;
            for (int s = 0; s < group.size(); s++) {
                rows += to[s][e] == rank ? rows(s, e) : 0;
            }
            total += rows;
            if (rows > most) {
                most = rows;
                fullest = e;
            }
        }
        if (total > op.received().maximum()) {
            throw new RequestException(what + ": rank " + rank + " would receive " + total + " rows, " + most
                    + " of them for expert " + fullest + ", expected at most the capacity of "
                    + op.received().maximum() + "; plan with a larger capacity or run steps of fewer tokens");
        }
    }

    /** Takes the routes up again from the results of the way there; most often nobody else has been under way since. */
    void resume(ExpertTable table, MemorySegment offsets, MemorySegment countsOfRanks) {
        if (table == current
                && countsOfRanks.mismatch(MemorySegment.ofArray(counts)) < 0
                && offsets.mismatch(MemorySegment.ofArray(own)) < 0) {
            return;
        }
        Held known = prepare(table);
        clearCounts();
        for (int at = 0; at < counts.length; at++) {
            long rows = countsOfRanks.getAtIndex(I64, at);
            if (rows > 0) {
                fill(at, rows);
            }
        }
        MemorySegment.copy(offsets, I32, 0, own, 0, own.length);
        route(known);
        current = table;
    }

    private void route(Held table) {
        atSender.clear();
        int[] to = table.to()[group.rank()];
        int n = sortByReceiver(to);
        for (int i = 0; i < n; i++) {
            int e = sent[i];
            atSender.add(to[e], own[e], own[e + 1] - own[e]);
        }
        routeAtHolder();
    }

    /** Lists the experts for which this rank has rows as the rows leave: by receiver, then by expert. Returns how many. */
    private int sortByReceiver(int[] to) {
        Arrays.fill(turn, 0);
        int n = 0;
        for (int e = nextUsed(own, 0, 0); e < own.length - 1; e = nextUsed(own, 0, e + 1)) {
            used[n++] = e;
            turn[to[e]]++;
        }
        int start = 0;
        for (int r = 0; r < turn.length; r++) {
            int experts = turn[r];
            turn[r] = start;
            start += experts;
        }
        for (int i = 0; i < n; i++) {
            sent[turn[to[used[i]]]++] = used[i];
        }
        return n;
    }

    private void routeAtHolder() {
        Arrays.fill(next, 0);
        for (int n = 0; n < filled; n++) {
            next[places[n] % slots] += (int) counts[places[n]];
        }
        int start = 0;
        for (int i = 0; i < slots; i++) {
            int rows = next[i];
            firsts[i] = start;
            next[i] = start;
            start = Math.addExact(start, rows);
        }
        firsts[slots] = start;
        atHolder.clear();
        for (int n = 0; n < filled; n++) {
            int i = places[n] % slots;
            int rows = (int) counts[places[n]];
            atHolder.add(places[n] / slots, next[i], rows);
            next[i] += rows;
        }
    }

    /** Writes the first row of every expert held here and the total, and the counts. */
    void write(MemorySegment offsets, MemorySegment countsOfRanks) {
        MemorySegment.copy(counts, 0, countsOfRanks, I64, 0, counts.length);
        MemorySegment.copy(firsts, 0, offsets, I32, 0, firsts.length);
    }
}

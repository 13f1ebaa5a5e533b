package dev.weft.runtime;

import dev.weft.RequestException;
import dev.weft.op.ExpertTable;
import dev.weft.op.MoeSend;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Where rows sorted by expert go and where they come from: rows lie by (expert, source rank, source row) at the rank that
 * holds the expert. Every rank learns the counts of all, so that all refuse together what one of them cannot hold. Used by
 * one thread.
 */
final class MoeRoutes {
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;

    private final Communicator group;
    private final Route atSender;
    private final Route atHolder;
    private final HostScratch mine = new HostScratch();
    private final HostScratch all = new HostScratch();
    private final Map<ExpertTable, int[][]> held = new IdentityHashMap<>();
    private long[] counts = new long[0];
    private int slots;
    private long received;

    MoeRoutes(Communicator group) {
        this.group = group;
        this.atSender = new Route(group.size());
        this.atHolder = new Route(group.size());
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
        return received;
    }

    /** Finds the routes together with the other ranks. @throws RequestException on all ranks if one cannot hold its rows */
    void meet(String what, MoeSend op, MemorySegment offsets) {
        int experts = op.table().experts();
        MemorySegment own = mine.bytes((long) Long.BYTES * experts);
        for (int e = 0; e < experts; e++) {
            long rows = (long) offsets.getAtIndex(I32, e + 1) - offsets.getAtIndex(I32, e);
            own.setAtIndex(I64, e, rows);
        }
        MemorySegment everyone = all.bytes(group.size() * own.byteSize());
        group.allGather(what, own, everyone);
        int[][] sends = sends(op.table());
        for (int r = 0; r < group.size(); r++) {
            requireRoom(what, op, r, everyone);
        }
        room(op.table().slots());
        for (int s = 0; s < group.size(); s++) {
            for (int i = 0; i < slots; i++) {
                int e = op.table().ranks().get(group.rank()).get(i);
                boolean comes = sends[s][e] == group.rank();
                counts[s * slots + i] = comes ? everyone.getAtIndex(I64, (long) s * experts + e) : 0;
            }
        }
        route(op.table(), offsets);
    }

    private void room(int of) {
        slots = of;
        if (counts.length < group.size() * slots) {
            counts = new long[group.size() * slots];
        }
    }

    private void requireRoom(String what, MoeSend op, int rank, MemorySegment everyone) {
        ExpertTable table = op.table();
        int[][] sends = sends(table);
        long total = 0;
        long most = -1;
        int fullest = 0;
        for (int e : table.ranks().get(rank)) {
            long rows = 0;
            for (int s = 0; s < group.size(); s++) {
                rows += sends[s][e] == rank ? everyone.getAtIndex(I64, (long) s * table.experts() + e) : 0;
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

    /** Takes the routes up again from the results of the way there. */
    void resume(ExpertTable table, MemorySegment offsets, MemorySegment countsOfRanks) {
        room(table.slots());
        for (int i = 0; i < group.size() * slots; i++) {
            counts[i] = countsOfRanks.getAtIndex(I64, i);
        }
        route(table, offsets);
    }

    private void route(ExpertTable table, MemorySegment offsets) {
        int[] to = sends(table)[group.rank()];
        atSender.clear();
        for (int r = 0; r < group.size(); r++) {
            for (int e : table.ranks().get(r)) {
                if (to[e] == r) {
                    int first = offsets.getAtIndex(I32, e);
                    atSender.add(r, first, (long) offsets.getAtIndex(I32, e + 1) - first);
                }
            }
        }
        atHolder.clear();
        received = total();
        for (int s = 0; s < group.size(); s++) {
            long start = 0; // of the slot
            for (int i = 0; i < slots; i++) {
                long before = start;
                for (int q = 0; q < group.size(); q++) {
                    before += q < s ? counts[q * slots + i] : 0;
                    start += counts[q * slots + i];
                }
                atHolder.add(s, before, counts[s * slots + i]);
            }
        }
    }

    private long total() {
        long sum = 0;
        for (int i = 0; i < group.size() * slots; i++) {
            sum += counts[i];
        }
        return sum;
    }

    /** Writes the first row of every expert held here and the total, and the counts. */
    void write(MemorySegment offsets, MemorySegment countsOfRanks) {
        long start = 0;
        for (int i = 0; i < slots; i++) {
            offsets.setAtIndex(I32, i, Math.toIntExact(start));
            for (int s = 0; s < group.size(); s++) {
                countsOfRanks.setAtIndex(I64, s * slots + i, counts[s * slots + i]);
                start += counts[s * slots + i];
            }
        }
        offsets.setAtIndex(I32, slots, Math.toIntExact(start));
    }

    /** Per sender and expert the rank that receives. */
    private int[][] sends(ExpertTable table) {
        return held.computeIfAbsent(table, t -> {
            int[][] to = new int[group.size()][t.experts()];
            for (int s = 0; s < group.size(); s++) {
                for (int e = 0; e < t.experts(); e++) {
                    to[s][e] = t.rankOf(e, s);
                }
            }
            return to;
        });
    }
}

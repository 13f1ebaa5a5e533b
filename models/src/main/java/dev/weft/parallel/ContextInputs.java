package dev.weft.parallel;

import dev.weft.runtime.Execution;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/**
 * What the exchanges of a context-parallel step are fed with, and the names of it in the graph. For rings of capacity C: which
 * rows of this rank lie within C before a part of another, and where in the rings those that come belong. For caches of E
 * entries per page: which pages this rank fills, and where those of all belong. Every rank knows all cuts, so nothing is
 * asked for.
 */
public final class ContextInputs {
    /** Where a rank keeps what belongs to a stretch: the ring slots of its two parts, and its cache pages in order. */
    public interface Places {
        /** Ring slot of the rank's first part, 0, or second, 1. */
        int slot(int index);

        /** Ring slot that nobody reads. */
        int spareSlot();

        /** Cache page of the tokens from {@code index * BLOCK} on. */
        int page(int index);
    }

    private final int ranks;
    private final int maxTokens;
    private final Set<Long> capacities = new TreeSet<>();
    private final Set<Long> entries = new TreeSet<>();

    /** @param maxTokens most tokens of a rank in a step */
    public ContextInputs(int ranks, int maxTokens) {
        this.ranks = ranks;
        this.maxTokens = maxTokens;
    }

    /** Registers a ring. @return prefix of the names of its inputs */
    String ring(long capacity) {
        capacities.add(capacity);
        return "context.ring" + capacity;
    }

    /** Registers a cache. @return prefix of the names of its inputs */
    String cache(long perPage) {
        entries.add(perPage);
        return "context.page" + perPage;
    }

    /** Most pages that one rank fills in a step. */
    int maxPages() {
        return maxTokens / ContextCuts.BLOCK;
    }

    /** Fewest tokens of a part other than the last: what lies before a part and is needed there is in the part before it. */
    public int leastPart() {
        return Math.toIntExact(capacities.stream().mapToLong(c -> c).max().orElse(0));
    }

    /** Feeds a step of {@code rank}. */
    public void feed(Execution execution, ContextCuts cuts, int rank, Places places) {
        for (long c : capacities) {
            feedRing(execution, Math.toIntExact(c), cuts, rank, places);
        }
        feedPages(execution, cuts, rank, places);
    }

    private void feedRing(Execution execution, int capacity, ContextCuts cuts, int rank, Places places) {
        int[] rows = new int[2 * capacity];
        long[] counts = new long[ranks];
        int sent = 0;
        for (int to = 0; to < ranks; to++) {
            for (int part : parts(cuts, to)) {
                int from = part - 1;
                if (from >= 0 && cuts.rank(from) == rank) {
                    int need = Math.min(capacity, cuts.from(part) - cuts.from(from));
                    int end = row(cuts, rank, from) + cuts.from(part) - cuts.from(from);
                    for (int i = 0; i < need; i++) {
                        rows[sent++] = end - need + i;
                    }
                    counts[to] += need;
                }
            }
        }
        int[] positions = new int[2 * capacity * ranks];
        int[] starts = new int[4];
        int[] slots = new int[3];
        int sequences = 0;
        int received = 0;
        for (int by = 0; by < ranks; by++) {
            for (int part : parts(cuts, rank)) {
                if (part > 0 && cuts.rank(part - 1) == by) {
                    int need = Math.min(capacity, cuts.from(part) - cuts.from(part - 1));
                    for (int i = 0; i < need; i++) {
                        positions[received++] = cuts.from(part) - need + i;
                    }
                    slots[sequences++] = places.slot(part == cuts.first(rank) ? 0 : 1);
                    starts[sequences] = received;
                }
            }
        }
        String name = ring(capacity);
        // the result of the exchange has a multiple of the rows that go in
        int bound = Math.max(sent, Math.ceilDiv(received, ranks));
        if (received < bound * ranks) {
            // every row belongs to a sequence; what nobody has sent, to one that nobody reads
            for (int i = received; i < bound * ranks; i++) {
                positions[i] = i - received;
            }
            slots[sequences++] = places.spareSlot();
            starts[sequences] = bound * ranks;
        }
        execution.bind(name + ".rows", bound).bind(name + ".parts", sequences);
        execution
                .set(name + ".rows", rows, bound)
                .set(name + ".counts", MemorySegment.ofArray(counts))
                .set(name + ".positions", Arrays.copyOf(positions, bound * ranks))
                .set(name + ".starts", starts, sequences + 1)
                .set(name + ".slots", slots, sequences);
    }

    private void feedPages(Execution execution, ContextCuts cuts, int rank, Places places) {
        if (entries.isEmpty()) {
            return;
        }
        int[] mine = new int[maxPages()];
        int[] all = new int[ranks * maxPages()];
        long[] counts = new long[ranks];
        int filled = 0;
        int total = 0;
        for (int r = 0; r < ranks; r++) {
            for (int part : parts(cuts, r)) {
                int end = Math.ceilDiv(cuts.from(part + 1), ContextCuts.BLOCK);
                for (int p = cuts.from(part) / ContextCuts.BLOCK; p < end; p++) {
                    all[total++] = places.page(p);
                    counts[r]++;
                    if (r == rank) {
                        mine[filled++] = places.page(p);
                    }
                }
            }
        }
        execution.bind(PAGES, filled).bind(ALL_PAGES, total);
        execution.set(PAGES, mine, filled).set(PAGE_COUNTS, MemorySegment.ofArray(counts));
        execution.set(ALL_PAGES, all, total);
        for (long e : entries) {
            int perPage = Math.toIntExact(e);
            int[] positions = new int[total * perPage];
            int[] starts = new int[total + 1];
            Arrays.setAll(positions, i -> i % perPage);
            Arrays.setAll(starts, i -> i * perPage);
            execution.set(cache(e) + ".positions", positions).set(cache(e) + ".starts", starts);
        }
    }

    static final String PAGES = "context.pages";
    static final String PAGE_COUNTS = "context.pageCounts";
    static final String ALL_PAGES = "context.allPages";

    private static int[] parts(ContextCuts cuts, int rank) {
        return new int[] {cuts.first(rank), cuts.second(rank)};
    }

    /** Row of a part's first token in its rank's step. */
    private static int row(ContextCuts cuts, int rank, int part) {
        int first = cuts.first(rank);
        return part == first ? 0 : cuts.from(first + 1) - cuts.from(first);
    }
}

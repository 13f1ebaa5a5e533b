package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.OpInstance;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import java.util.List;
import java.util.Optional;

/**
 * Attention by {@code aclnnSparseFlashMla}. The operator wants the rows of a window in blocks reached through a table,
 * the step's own rows among them; Weft keeps older rows in rings and hands over the step's rows apart. Both are brought
 * together in scratch memory, which costs a copy of the step's rows and of one window per sequence. Compressed
 * entries are read where they lie.
 *
 * <p>Source: ops-transformer docs aclnnSparseFlashMla and aclnnSparseFlashMlaMetadata.
 */
final class FlashAttention {
    static final String NAME = "aclnnSparseFlashMla";

    private static final String PLAN = "aclnnSparseFlashMlaMetadata";
    private static final String DOCUMENT = " (ops-transformer docs " + NAME + ")";

    private static final long WIDTH = 512;
    private static final long MOST_HEADS = 128;

    /** Window of the products before 950, own position included. */
    private static final int FIXED_WINDOW = 128;

    private static final int PICKED_RATIO = 4;
    private static final int ALL_RATIO = 128;

    /** Rows of a block in scratch memory, as {@link Entries#areBlocks} asks. */
    private static final int BLOCK = 128;

    /** INT32 words of the division of work among cores. */
    private static final long PLAN_WORDS = 1024;

    private static final String QUERY_LAYOUT = "TND";
    private static final String CACHE_LAYOUT = "PA_BBND";

    /** Mask modes: a band around the diagonal for the window, causal for compressed entries. */
    private static final long BAND = 4;

    private static final long CAUSAL = 3;

    private final SparseAttention o;
    private final Emit e;
    private final Calls c;
    private final Ten q;
    private final Ten starts;
    private final long rows;
    private final long sequences;
    private final long mostRows;
    private final long mostSequences;

    /** One row per sequence of the step: where it stands and where its rows are. */
    private final StepRows each;

    private FlashAttention(OpInstance op, Emit e) {
        this.o = (SparseAttention) op.op();
        this.e = e;
        this.c = new Calls(e);
        this.q = c.dense(e.operand(0));
        this.starts = c.dense(e.operand(5));
        this.rows = q.dim(0);
        this.sequences = starts.elements() - 1;
        this.mostRows = op.inputs().getFirst().shape().dim(0).maximum();
        this.mostSequences = op.inputs().get(5).shape().dim(0).maximum() - 1;
        this.each = StepRows.ofSequences(c, mostSequences, positions(), starts);
    }

    private Ten positions() {
        return c.dense(e.operand(4));
    }

    static Optional<String> refuse(OpInstance op, Profile p) {
        SparseAttention o = (SparseAttention) op.op();
        TensorType q = op.inputs().getFirst();
        long heads = q.shape().dim(1).maximum();
        long width = q.shape().last().maximum();
        if (q.dtype() != DType.BF16 || width != WIDTH) {
            return Optional.of("takes BF16 heads of " + WIDTH + ", found " + q.dtype() + " of " + width + DOCUMENT);
        }
        long fewest = p.is950() ? 2 : 1;
        if (Long.bitCount(heads) != 1 || heads < fewest || heads > MOST_HEADS) {
            return Optional.of("heads must be a power of two from " + fewest + " to " + MOST_HEADS + ", found " + heads
                    + DOCUMENT);
        }
        if (!p.is950() && o.window() != FIXED_WINDOW) {
            return Optional.of("window must be " + FIXED_WINDOW + ", found " + o.window() + DOCUMENT);
        }
        return switch (o.reach()) {
            case WINDOW -> Optional.empty();
            case ALL -> ratio(o, ALL_RATIO);
            case PICKED -> ratio(o, PICKED_RATIO).or(() -> picks(op));
        };
    }

    private static Optional<String> ratio(SparseAttention o, int expected) {
        return o.ratio() == expected
                ? Optional.empty()
                : Optional.of(
                        "ratio with reach " + o.reach() + " must be " + expected + ", found " + o.ratio() + DOCUMENT);
    }

    private static Optional<String> picks(OpInstance op) {
        long k = op.inputs().get(9).shape().last().maximum();
        return k == 512 || k == 1024 ? Optional.empty() : Optional.of("takes 512 or 1024 picks, found " + k + DOCUMENT);
    }

    static void emit(OpInstance op, Emit e) {
        new FlashAttention(op, e).run(op);
    }

    private void run(OpInstance op) {
        boolean compressed = o.reach() != Reach.WINDOW;
        Blocks window = window();
        Blocks cache = compressed ? cache(op) : new Blocks(null, null, null, null, 0);
        Ten picks = o.reach() == Reach.PICKED ? c.dense(e.operand(9)) : null;
        long ratio = compressed ? o.ratio() : 1;
        Ten plan = plan(window, cache, picks == null ? 0L : picks.dim(1), ratio);
        Ten y = e.operand(op.inputs().size());
        Ten out = y.isDense() ? y : e.temp(y.type(), y.dims());
        e.call(
                NAME,
                q,
                window.rows(),
                cache.rows(),
                null,
                picks == null ? null : picks.view(rows, 1, picks.dim(1)),
                window.table(),
                cache.table(),
                starts,
                null,
                null,
                null,
                window.used(),
                cache.used(),
                cache.residual(),
                null,
                null,
                e.operand(3),
                plan,
                (double) o.scale(),
                ratio,
                BAND,
                CAUSAL,
                o.window() - 1L,
                0L,
                QUERY_LAYOUT,
                CACHE_LAYOUT,
                1L,
                false,
                out,
                e.temp(AclType.FLOAT, 1)); // the document asks for a placeholder where no sums are returned
        if (out != y) {
            c.copy(out, y);
        }
    }

    /** How the work is divided among cores, the same for all layers of a kind (docs aclnnSparseFlashMlaMetadata). */
    private Ten plan(Blocks window, Blocks cache, long picks, long ratio) {
        boolean compressed = cache.used() != null;
        List<Ten> lengths = compressed
                ? List.of(starts, window.used(), cache.used(), cache.residual())
                : List.of(starts, window.used());
        List<Long> numbers =
                List.of(q.dim(1), rows, sequences, window.longest(), cache.longest(), picks, ratio, (long) o.window());
        return c.shared(PLAN, lengths, numbers, () -> {
            Ten plan = e.temp(AclType.INT32, PLAN_WORDS);
            e.call(
                    PLAN,
                    starts,
                    null,
                    null,
                    null,
                    window.used(),
                    cache.used(),
                    cache.residual(),
                    null,
                    null,
                    q.dim(1),
                    1L,
                    WIDTH,
                    sequences,
                    rows,
                    window.longest(),
                    cache.longest(),
                    0L,
                    picks,
                    ratio,
                    BAND,
                    CAUSAL,
                    o.window() - 1L,
                    0L,
                    QUERY_LAYOUT,
                    CACHE_LAYOUT,
                    true,
                    compressed,
                    plan);
            return plan;
        });
    }

    /**
     * Keys in blocks.
     *
     * @param rows BF16 {@code [blocks, rows of a block, 1, width]}, null if there are none
     * @param table INT32 {@code [sequences, most blocks]}
     * @param used INT32 {@code [sequences]}: keys of each sequence
     * @param residual INT32 {@code [sequences]}: tokens behind the last compressed entry, null in a window
     * @param longest upper bound of {@code used}
     */
    private record Blocks(Ten rows, Ten table, Ten used, Ten residual, long longest) {}

    /**
     * Where the rows of a window go, which does not depend on the layer.
     *
     * @param used INT32 {@code [sequences, 1]}: rows of each sequence
     * @param table INT32 {@code [sequences, longest]}
     * @param place INT32 {@code [rows, 1]}: where the step's rows go
     * @param from INT32 {@code [sequences, before]}: rows of the ring that go before them
     * @param earlier INT32 {@code [sequences, before]}: where these go
     */
    private record Window(Ten used, Ten table, Ten place, Ten from, Ten earlier) {}

    /**
     * Per sequence the rows before the step that its first query sees, then the step's rows, in whole blocks. Block 0
     * takes rows that must not land: sequences with a shorter past have fewer rows before the step.
     */
    private Blocks window() {
        int before = o.window() - 1;
        // every sequence may leave one block unfinished
        long total = (rows + sequences * before) / BLOCK + sequences + 1;
        long longest = Math.ceilDiv(rows + before, BLOCK);
        Ten ring = e.operand(2);
        Ten slots = e.operand(6);
        List<Ten> t = c.shared(
                "window",
                List.of(positions(), starts, slots),
                List.of(mostRows, mostSequences, before, ring.dim(1)),
                () -> window(before, total, longest, slots, ring.dim(1)));
        Window w = new Window(t.get(0), t.get(1), t.get(2), t.get(3), t.get(4));
        Ten memory = e.temp(q.type(), total * BLOCK, WIDTH);
        e.call("aclnnInplaceZero", memory); // rows behind a sequence's last must not hold NaN where tiles read them
        if (before > 0) {
            Ten picked = gather(ring.view(ring.dim(0) * ring.dim(1), WIDTH), w.from());
            e.call("aclnnScatterNdUpdate", memory, w.earlier().view(w.earlier().elements(), 1), picked);
        }
        e.call("aclnnScatterNdUpdate", memory, w.place(), c.dense(e.operand(1)));
        return new Blocks(
                memory.view(total, BLOCK, 1, WIDTH), w.table(), w.used().view(sequences), null, longest * BLOCK);
    }

    private List<Ten> window(int before, long total, long longest, Ten slots, long capacity) {
        Ten kept = c.clamp(each.position(), null, Scalar.of(before));
        Ten used = c.add(kept, c.sub(each.end(), each.first()));
        Ten blocks = StepRows.quotient(c, c.plus(used, Scalar.of(BLOCK - 1)), BLOCK);
        Ten behind = e.temp(AclType.INT32, sequences, 1);
        e.call("aclnnCumsum", blocks, 0L, AclType.INT32, behind);
        Ten firstBlock = c.plus(c.sub(behind, blocks), Scalar.of(1));
        Ten base = c.scale(firstBlock, Scalar.of(BLOCK));
        StepRows own = StepRows.of(c, mostRows, positions(), starts);
        Ten row = StepRows.integers(c, mostRows).slice(0, 0, rows);
        Ten place = c.add(c.sub(row, own.first()), StepRows.pick(c, c.add(base, kept), own.sequence()));
        Ten next = StepRows.integers(c, Math.ceilDiv(mostRows + before, BLOCK)).slice(0, 0, longest);
        Ten table = c.clamp(c.add(firstBlock, next.view(1, longest)), null, Scalar.of((int) total - 1));
        if (before == 0) {
            return List.of(used, table, place, place, place); // no earlier rows: the last two are not asked for
        }
        Ten nth = StepRows.integers(c, before).view(1, before);
        Ten from = each.ringRow(slots, capacity, c.add(c.sub(each.position(), kept), nth));
        Ten earlier = c.select(c.less(nth, kept), c.add(base, nth), c.constant(AclType.INT32, 0, 2));
        return List.of(used, table, place, from, earlier);
    }

    private Ten gather(Ten table, Ten index) {
        Ten picked = e.temp(table.type(), index.elements(), WIDTH);
        c.gather(table, index.view(index.elements()), picked);
        return picked;
    }

    private Blocks cache(OpInstance op) {
        Ten cache = e.operand(7);
        Ten pages = c.dense(e.operand(8));
        Entries lengths = Entries.of(c, each, positions(), starts, o.ratio());
        long perPage = cache.dim(1);
        long most = pages.dim(1) * perPage;
        Ten table;
        Ten entries;
        if (Entries.areBlocks(perPage)) {
            table = Entries.blocks(c, pages, cache.dim(0));
            entries = cache.view(cache.dim(0), perPage, 1, WIDTH);
        } else {
            long blocks = Math.ceilDiv(most, BLOCK);
            long mostBlocks = Math.ceilDiv(op.inputs().get(8).shape().dim(1).maximum() * perPage, BLOCK);
            entries = joined(cache, pages, blocks, mostBlocks).view(sequences * blocks, BLOCK, 1, WIDTH);
            table = StepRows.integers(c, mostSequences * mostBlocks)
                    .slice(0, 0, sequences * blocks)
                    .view(sequences, blocks);
        }
        return new Blocks(entries, table, lengths.count(), lengths.residual(), most);
    }

    /** All entries of every sequence in a row, {@code blocks} blocks each; what is behind the last page repeats it. */
    private Ten joined(Ten cache, Ten pages, long blocks, long mostBlocks) {
        long n = blocks * BLOCK;
        Ten row = c.shared(
                "joined entries",
                List.of(pages, positions(), starts),
                List.of(mostSequences, mostBlocks, n, cache.dim(0), cache.dim(1)),
                () -> {
                    Ten nth = StepRows.integers(c, mostBlocks * BLOCK)
                            .slice(0, 0, n)
                            .view(1, n);
                    return each.entryRow(pages, cache.dim(0), cache.dim(1), nth);
                });
        return gather(cache.view(cache.dim(0) * cache.dim(1), WIDTH), row);
    }
}

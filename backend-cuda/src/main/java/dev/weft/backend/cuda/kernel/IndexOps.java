package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The lightning indexer: the scores of a wave of rows, then their picks. Where no row can see more entries than it
 * picks, nothing is scored.
 */
final class IndexOps {
    private static final int SIMPLE_THREADS = 256;
    private static final int SIMPLE_ENTRIES = 64;

    private static final int THREADS = 128;
    private static final int PICK_THREADS = 1024;

    /** Width, entries of a block, and heads that are multiplied at a time by the kernel on tensor cores. */
    private static final int WIDTH = 128;

    private static final int ENTRIES = 128;
    private static final int HEADS = 16;

    /** Blocks of a launch for each multiprocessor: enough that none waits while others have work left. */
    private static final int BLOCKS_EACH = 4;

    /** Most rows that share a block's reading of its keys. */
    private static final long MOST_GROUP_ROWS = 16;

    /** Scores that are kept at a time: a prompt of rows with long lists must not take the memory the lists need. */
    private static final long MOST_SCORE_BYTES = 64L << 20;

    private static final int Q = 0;
    private static final int KEYS = 2;
    private static final int PAGES = 5;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            LightningIndex.class,
            List.of(
                    Way.fast("lightningIndex", IndexOps::fast)
                            .attributes(IndexOps::attributes)
                            .scratch((op, chip) -> wideOffset(op) + wideBytes(op))
                            .refusing(IndexOps::refusal),
                    Way.simple("lightningIndex", IndexOps::simple)
                            .attributes(IndexOps::attributes)
                            .scratch((op, chip) -> scratch(op, Integer.BYTES))));

    private IndexOps() {}

    private static Attributes attributes(OpInstance instance) {
        LightningIndex op = (LightningIndex) instance.op();
        return Attributes.of(op.topK(), op.ratio());
    }

    /** Writes the launches of the rows {@code first .. first + count - 1}. */
    private interface Wave {
        void emit(long first, long count, long capacity);
    }

    private static void waves(Emit e, int scoreBytes, Wave wave) {
        long capacity = capacity(e.op());
        long rows = e.arguments().dim(Q, 0);
        long most = waveRows(e.op(), scoreBytes);
        for (long first = 0; first < rows; first += most) {
            wave.emit(first, Math.min(most, rows - first), capacity);
        }
    }

    private static void simple(Emit e) {
        waves(e, Integer.BYTES, (first, count, capacity) -> {
            if (needsScores(e.op())) {
                Grid grid = Grid.of(Math.ceilDiv(capacity, SIMPLE_ENTRIES), count);
                e.launch("index", "index_scores_simple", grid, SIMPLE_THREADS, 0, first, capacity);
            }
            e.launch("index", "index_picks_simple", Grid.of(count), SIMPLE_THREADS, 0, first, capacity);
        });
    }

    private static Optional<String> refusal(OpInstance op, Chip chip) {
        if (op.inputs().get(Q).dtype() != DType.BF16
                || op.inputs().get(Q).shape().dim(2).maximum() != WIDTH) {
            return Optional.of("needs BF16 and heads " + WIDTH + " wide: found "
                    + op.inputs().get(Q));
        }
        return chip.hasBf16Mma() && sharedBytes(op) <= chip.sharedBytes()
                ? Optional.empty()
                : Optional.of(
                        "needs BF16 tensor cores and " + sharedBytes(op) + " bytes of shared memory: found " + chip);
    }

    private static void fast(Emit e) {
        waves(e, Short.BYTES, (first, count, capacity) -> {
            if (needsScores(e.op())) {
                long entryBlocks = Math.ceilDiv(capacity, ENTRIES);
                long enough = (long) BLOCKS_EACH * e.chip().multiprocessors();
                long groupRows = Math.clamp(count * entryBlocks / enough, 1, MOST_GROUP_ROWS);
                long groups = Math.ceilDiv(count, groupRows);
                Grid grid = Grid.of(Math.clamp(enough / groups, 1, entryBlocks), groups);
                e.launch(
                        "index_mma",
                        "index_scores",
                        grid,
                        THREADS,
                        sharedBytes(e.op()),
                        first,
                        capacity,
                        count,
                        groupRows,
                        isWide(e.op()) ? countersOffset(e.op()) : 0);
            }
            if (isWide(e.op())) {
                pickWide(e, first, count, capacity);
            } else {
                e.launch("index_mma", "index_picks", Grid.of(count), PICK_THREADS, 0, first, capacity);
            }
        });
    }

    private static void pickWide(Emit e, long first, long count, long capacity) {
        Grid parts = Grid.of(Math.ceilDiv(capacity, SelectOps.PART), count);
        long[] words = {first, capacity, wideOffset(e.op()), countersOffset(e.op())};
        e.launch("index_mma", "index_wide_picks", parts, PICK_THREADS, 0, words);
    }

    /** Whether the entries of a row are too many for one block, and the picks few beside them. */
    private static boolean isWide(OpInstance op) {
        return needsScores(op) && capacity(op) > SelectOps.PART && topK(op) <= SelectOps.MOST_SORTED;
    }

    /** Workspaces of wide rows lie behind the scores. */
    private static long wideOffset(OpInstance op) {
        return Math.ceilDiv(scratch(op, Short.BYTES), (long) Long.BYTES) * Long.BYTES;
    }

    private static long wideBytes(OpInstance op) {
        return isWide(op)
                ? countersOffset(op) - wideOffset(op) + keptRows(op, Short.BYTES) * Integer.BYTES
                : 0;
    }

    /** A counter of each wide row, behind their workspaces. */
    private static long countersOffset(OpInstance op) {
        return wideOffset(op) + keptRows(op, Short.BYTES) * SelectOps.wideRowBytes(capacity(op), topK(op));
    }

    /** The keys of a block, and twice the queries of a row and their weights. */
    private static int sharedBytes(OpInstance op) {
        long heads = Math.ceilDiv(op.inputs().get(Q).shape().dim(1).maximum(), HEADS) * HEADS;
        return Math.toIntExact(ENTRIES * WIDTH * 2 + 2 * heads * (WIDTH * 2 + Float.BYTES));
    }

    /** Whether a row may see more entries than it picks. */
    private static boolean needsScores(OpInstance op) {
        return capacity(op) > topK(op);
    }

    private static int topK(OpInstance op) {
        return ((LightningIndex) op.op()).topK();
    }

    /** Entries that the page list of a sequence can hold. */
    private static long capacity(OpInstance op) {
        return op.inputs().get(PAGES).shape().dim(1).maximum()
                * op.inputs().get(KEYS).shape().dim(1).maximum();
    }

    private static long waveRows(OpInstance op, int scoreBytes) {
        long fitting = MOST_SCORE_BYTES / (scoreBytes * Math.max(1, capacity(op)));
        return Math.clamp(fitting, 1, Grid.MOST_YZ);
    }

    /** Rows of the largest wave. */
    private static long keptRows(OpInstance op, int scoreBytes) {
        long rows = op.inputs().get(Q).shape().dim(0).maximum();
        return Math.min(waveRows(op, scoreBytes), rows);
    }

    private static long scratch(OpInstance op, int scoreBytes) {
        return needsScores(op) ? keptRows(op, scoreBytes) * capacity(op) * scoreBytes : 0;
    }
}

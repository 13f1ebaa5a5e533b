package dev.weft.backend.cuda.kernel;

import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Map;

/** The lightning indexer: the scores of a wave of rows, then their picks. */
final class IndexOps {
    private static final int SIMPLE_THREADS = 256;
    private static final int SIMPLE_ENTRIES = 64;

    /** Scores that are kept at a time: a prompt of rows with long lists must not take the memory that the lists need. */
    private static final long MOST_SCORE_BYTES = 64L << 20;

    private static final int Q = 0;
    private static final int KEYS = 2;
    private static final int PAGES = 5;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            LightningIndex.class,
            List.of(Way.simple("lightningIndex", IndexOps::simple)
                    .attributes(IndexOps::attributes)
                    .scratch((op, chip) -> scratch(op, Integer.BYTES))));

    private IndexOps() {}

    private static Attributes attributes(OpInstance instance) {
        LightningIndex op = (LightningIndex) instance.op();
        return Attributes.of(op.topK(), op.ratio());
    }

    private static void simple(Emit e) {
        long capacity = capacity(e.op());
        long rows = e.arguments().dim(Q, 0);
        long wave = waveRows(e.op(), Integer.BYTES);
        for (long first = 0; first < rows; first += wave) {
            long count = Math.min(wave, rows - first);
            Grid scores = Grid.of(Math.ceilDiv(capacity, SIMPLE_ENTRIES), count);
            if (needsScores(e.op())) {
                e.launch("index", "index_scores_simple", scores, SIMPLE_THREADS, 0, first, capacity);
            }
            e.launch("index", "index_picks_simple", Grid.of(count), SIMPLE_THREADS, 0, first, capacity);
        }
    }

    /** Whether a row may see more entries than it picks. */
    private static boolean needsScores(OpInstance op) {
        return capacity(op) > ((LightningIndex) op.op()).topK();
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

    private static long scratch(OpInstance op, int scoreBytes) {
        long rows = Math.min(waveRows(op, scoreBytes), op.inputs().get(Q).shape().dim(0).maximum());
        return needsScores(op) ? rows * capacity(op) * scoreBytes : 0;
    }
}

package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.backend.cpu.Workers;
import dev.weft.op.LightningIndex;
import java.util.Arrays;

/** Scores compressed entries by vectors of keys, an item being a stretch of entries, and picks the best of each row. */
final class VectorIndex {
    private static final int Q = 0;
    private static final int WEIGHTS = 1;
    private static final int KEYS = 2;
    private static final int POSITIONS = 3;
    private static final int STARTS = 4;
    private static final int PAGES = 5;
    private static final int PICKS = 6;

    /** Entries per item. */
    private static final int STRETCH = 256;

    private final LightningIndex op;
    private final Operands a;
    private final Rows q;
    private final int heads;
    private final int width;
    private final boolean rounds;

    private VectorIndex(LightningIndex op, Operands a) {
        this.op = op;
        this.a = a;
        this.q = Rows.of(a, Q);
        this.heads = Math.toIntExact(a.dim(Q, 1));
        this.width = q.width();
        this.rounds = q.dtype() == DType.BF16;
    }

    /** Runs one call. @param shared scratch arrays that no worker uses otherwise */
    static void run(Workers workers, Scratch[] scratch, Scratch shared, LightningIndex op, Operands a) {
        VectorIndex index = new VectorIndex(op, a);
        int rows = Math.toIntExact(a.dim(Q, 0));
        for (int row = 0; row < rows; row++) {
            index.row(workers, scratch, shared, row);
        }
    }

    private void row(Workers workers, Scratch[] scratch, Scratch shared, int row) {
        int sequence = Batch.sequence(a, STARTS, row);
        int visible = sequence < 0 ? 0 : (Memory.index(a, POSITIONS, row) + 1) / op.ratio();
        if (visible <= op.topK()) {
            write(row, visible, null);
            return;
        }
        float[] queries = shared.floats(0, heads * width);
        float[] weights = shared.floats(1, heads);
        float[] scores = shared.floats(2, visible + Lanes.COUNT);
        for (int h = 0; h < heads; h++) {
            q.decode(row * heads + h, queries, h * width);
        }
        Rows.of(a, WEIGHTS).decode(row, weights, 0);
        workers.parallelFor(Math.ceilDiv(visible, STRETCH), (item, worker) -> {
            int from = item * STRETCH;
            int to = Math.min(visible, from + STRETCH);
            float[] columns = scratch[worker].floats(0, width * Lanes.COUNT);
            float[] sums = scratch[worker].floats(1, Lanes.COUNT);
            float[] dots = scratch[worker].floats(2, Lanes.COUNT);
            Arrays.fill(columns, 0, width * Lanes.COUNT, 0f);
            for (int j = from; j < to; j += Lanes.COUNT) {
                int count = Math.min(Lanes.COUNT, to - j);
                for (int c = 0; c < count; c++) {
                    long key = Batch.entry(a, KEYS, PAGES, sequence, j + c);
                    Memory.decode(q.dtype(), key, width, columns, c, Lanes.COUNT);
                }
                score(queries, weights, columns, dots, sums);
                System.arraycopy(sums, 0, scores, j, count);
            }
        });
        write(row, op.topK(), best(scores, visible, shared));
    }

    /** {@code sum_h relu(q_h . key) * w_h} of a vector of keys, heads ascending; rounded thrice in a BF16 flow. */
    private void score(float[] queries, float[] weights, float[] columns, float[] dots, float[] sums) {
        Arrays.fill(sums, 0, Lanes.COUNT, 0f);
        for (int h = 0; h < heads; h++) {
            Lanes.dot(queries, h * width, columns, width, 1f, dots, 0);
            for (int i = 0; i < Lanes.COUNT; i++) {
                float dot = rounded(dots[i]);
                sums[i] += rounded((dot < 0 ? 0 : dot) * weights[h]);
            }
        }
        for (int i = 0; i < Lanes.COUNT; i++) {
            sums[i] = rounded(sums[i]);
        }
    }

    private float rounded(float value) {
        return rounds ? DType.BF16.round(value) : value;
    }

    /** The {@code topK} best entries in ascending order: higher score first, then lower number, NaN last. */
    private long[] best(float[] scores, int visible, Scratch shared) {
        long[] ranks = shared.longs(visible);
        for (int j = 0; j < visible; j++) {
            ranks[j] = (long) rank(scores[j]) << 32 | j;
        }
        Arrays.sort(ranks, 0, visible);
        for (int i = 0; i < op.topK(); i++) {
            ranks[i] &= 0xFFFF_FFFFL;
        }
        Arrays.sort(ranks, 0, op.topK());
        return ranks;
    }

    /** An integer that falls as the score rises. */
    static int rank(float score) {
        if (Float.isNaN(score)) {
            return Integer.MAX_VALUE;
        }
        int bits = Float.floatToRawIntBits(score + 0f); // both zeros are equal
        return ~(bits < 0 ? bits ^ Integer.MAX_VALUE : bits);
    }

    /** Writes {@code count} picks, the first numbers if {@code picks} is null, then -1. */
    private void write(int row, int count, long @org.jspecify.annotations.Nullable [] picks) {
        long to = a.address(PICKS) + 4 * row * a.pitch(PICKS);
        for (int i = 0; i < op.topK(); i++) {
            Memory.i32(to + 4L * i, i >= count ? -1 : picks == null ? i : (int) picks[i]);
        }
    }
}

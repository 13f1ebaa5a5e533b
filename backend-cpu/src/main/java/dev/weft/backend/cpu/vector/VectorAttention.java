package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.backend.cpu.Workers;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import java.util.Arrays;

/**
 * Attention over a list of keys; an item is a query row and some of its heads. Lanes run along the
 * width of a key; four keys are decoded at a time for all heads of an item, which take part four by four.
 */
final class VectorAttention {
    private static final int Q = 0;
    private static final int KV = 1;
    private static final int RING = 2;
    private static final int SINK = 3;
    private static final int POSITIONS = 4;
    private static final int STARTS = 5;
    private static final int SLOTS = 6;
    private static final int CACHE = 7;
    private static final int PAGES = 8;
    private static final int PICKS = 9;

    /** Heads of an item: a few items per row even for one row, yet several heads per decoded key. */
    private static final int HEADS = 16;

    private final SparseAttention op;
    private final Operands a;
    private final Rows q;
    private final Rows y;
    private final int heads;
    private final int width;
    private final int padded;

    private VectorAttention(SparseAttention op, Operands a) {
        this.op = op;
        this.a = a;
        this.q = Rows.of(a, Q);
        this.y = Rows.of(a, a.count() - 1);
        this.heads = Math.toIntExact(a.dim(Q, 1));
        this.width = q.width();
        this.padded = Lanes.whole(width);
    }

    static void run(Workers workers, Scratch[] scratch, SparseAttention op, Operands a) {
        VectorAttention attention = new VectorAttention(op, a);
        int groups = Math.ceilDiv(attention.heads, HEADS);
        int rows = Math.toIntExact(a.dim(Q, 0));
        workers.parallelFor(
                rows * groups,
                (item, worker) -> attention.heads(scratch[worker], item / groups, item % groups * HEADS));
    }

    private void heads(Scratch s, int row, int firstHead) {
        int count = Math.min(HEADS, heads - firstHead);
        int sequence = Batch.sequence(a, STARTS, row);
        if (sequence < 0) {
            return;
        }
        long[] keys = s.longs(op.window() + compressed(row));
        int n = keys(keys, row, sequence);
        int stride = Lanes.whole(n);
        float[] scores = s.floats(0, count * stride);
        scores(s, keys, n, row * heads + firstHead, count, scores, stride);
        float[] sums = s.floats(1, count * padded);
        Arrays.fill(sums, 0, count * padded, 0f);
        float[] denominators = s.floats(2, HEADS);
        for (int h = 0; h < count; h++) {
            float sink = Memory.f32(a.address(SINK) + 4L * (firstHead + h) * a.pitch(SINK));
            denominators[h] = exponentials(scores, h * stride, n, sink);
        }
        addKeys(s, keys, n, count, scores, stride, sums);
        for (int h = 0; h < count; h++) {
            for (int i = h * padded; i < h * padded + width; i++) {
                sums[i] /= denominators[h];
            }
            y.store(row * heads + firstHead + h, sums, h * padded);
        }
    }

    /** Most compressed entries the row may see. */
    private int compressed(int row) {
        return switch (op.reach()) {
            case WINDOW -> 0;
            case ALL -> (Memory.index(a, POSITIONS, row) + 1) / op.ratio();
            case PICKED -> Math.toIntExact(a.dim(PICKS, 1));
        };
    }

    /** Addresses of the row's keys in the order of the contract; returns their number. */
    private int keys(long[] keys, int row, int sequence) {
        int n = 0;
        int position = Memory.index(a, POSITIONS, row);
        int firstRow = Memory.index(a, STARTS, sequence);
        int stepBegins = Memory.index(a, POSITIONS, firstRow);
        long slots = a.dim(RING, 1);
        long ring = Memory.index(a, SLOTS, sequence) * a.pitch(RING);
        for (int t = Math.max(0, position - op.window() + 1); t <= position; t++) {
            keys[n++] = t >= stepBegins
                    ? Memory.at(q.dtype(), a.address(KV), (firstRow + t - stepBegins) * a.pitch(KV))
                    : Memory.at(q.dtype(), a.address(RING), ring + t % slots * width);
        }
        int entries = compressed(row);
        for (int i = 0; i < entries; i++) {
            int j = op.reach() == Reach.PICKED ? Memory.i32(a.address(PICKS) + 4 * (row * a.pitch(PICKS) + i)) : i;
            if (j >= 0) {
                keys[n++] = Batch.entry(a, CACHE, PAGES, sequence, j);
            }
        }
        return n;
    }

    /** {@code sums[h] += sum_j scores[h][j] * key_j}, keys ascending. */
    private void addKeys(Scratch s, long[] keys, int n, int count, float[] scores, int stride, float[] sums) {
        float[] four = s.floats(3, Tile.COLUMNS * padded);
        for (int j = 0; j < n; j += Tile.COLUMNS) {
            int some = Math.min(Tile.COLUMNS, n - j);
            decodeKeys(keys, j, some, four);
            int h = 0;
            for (; some == Tile.COLUMNS && h + 4 <= count; h += 4) {
                Lanes.addScaled4(scores, h * stride + j, stride, four, sums, h * padded, padded);
            }
            for (; h < count; h++) {
                for (int c = 0; c < some; c++) {
                    Lanes.addScaled(scores[h * stride + j + c], four, c * padded, sums, h * padded, padded);
                }
            }
        }
    }

    /** Keys {@code first, first + 1, ...} as whole vectors, zeros behind and for keys of a tile that are missing. */
    private void decodeKeys(long[] keys, int first, int count, float[] to) {
        for (int c = 0; c < count; c++) {
            Memory.decode(q.dtype(), keys[first + c], width, to, c * padded);
            Arrays.fill(to, c * padded + width, (c + 1) * padded, 0f);
        }
        Arrays.fill(to, count * padded, Tile.COLUMNS * padded, 0f);
    }

    private void scores(Scratch s, long[] keys, int n, int firstRow, int count, float[] scores, int stride) {
        float[] queries = s.floats(4, count * padded);
        for (int h = 0; h < count; h++) {
            q.decode(firstRow + h, queries, h * padded);
            Arrays.fill(queries, h * padded + width, (h + 1) * padded, 0f);
        }
        float[] four = s.floats(3, Tile.COLUMNS * padded);
        int pitch = Tile.COLUMNS * Lanes.COUNT;
        float[] totals = s.floats(5, 4 * pitch);
        for (int j = 0; j < n; j += Tile.COLUMNS) {
            int some = Math.min(Tile.COLUMNS, n - j);
            decodeKeys(keys, j, some, four);
            for (int h = 0; h < count; ) {
                int height = h + 4 <= count ? 4 : 1;
                Arrays.fill(totals, 0, height * pitch, 0f);
                if (height == 4) {
                    Tile.four(queries, h * padded, padded, four, 0, padded, padded, totals, 0, pitch);
                } else {
                    Tile.one(queries, h * padded, four, 0, padded, padded, totals, 0);
                }
                for (int i = 0; i < height * Tile.COLUMNS; i++) {
                    float dot = Lanes.total(totals, i * Lanes.COUNT);
                    if (i % Tile.COLUMNS < some) {
                        scores[(h + i / Tile.COLUMNS) * stride + j + i % Tile.COLUMNS] = dot * op.scale();
                    }
                }
                h += height;
            }
        }
    }

    /** Replaces scores by exponentials, rounded in a BF16 flow; returns the sum of the unrounded ones and the sink's. */
    private float exponentials(float[] scores, int from, int n, float sink) {
        float max = sink;
        for (int j = 0; j < n; j++) {
            max = Math.max(max, scores[from + j]);
        }
        float sum = 0;
        for (int j = 0; j < n; j++) {
            float e = (float) Math.exp(scores[from + j] - max);
            sum += e;
            scores[from + j] = q.dtype() == DType.BF16 ? DType.BF16.round(e) : e;
        }
        return sum + (float) Math.exp(sink - max);
    }
}

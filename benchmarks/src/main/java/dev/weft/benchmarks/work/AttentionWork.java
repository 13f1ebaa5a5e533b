package dev.weft.benchmarks.work;

import dev.weft.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Shared-KV attention of {@code m} consecutive rows of one sequence: {@code heads} heads on one latent row of
 * {@code width}, a window of 128 rows and {@code keys - 128} compressed entries, with sinks. Every row sees the same
 * keys, so that a peer with one key list for all rows computes the same: latent rows repeat with the window's length.
 */
public final class AttentionWork implements Work {
    /** Length of the sliding window. */
    public static final int WINDOW = 128;

    private static final double COMPUTED_FLOPS = 2e9;

    private final int m;
    private final int keys;
    private final int heads;
    private final int width;
    private final float[] q;
    private final float[] sink;
    private final float[][] latents;
    private final int[] picks;

    /** Random data for as many copies as a measurement needs. */
    public AttentionWork(int m, int keys, int heads, int width) {
        this(m, keys, heads, width, copiesFor(m, keys, heads, width));
    }

    /** Random data. */
    public AttentionWork(int m, int keys, int heads, int width, int copies) {
        this.m = m;
        this.keys = keys;
        this.heads = heads;
        this.width = width;
        this.q = GemmWork.activations(DType.BF16, m * heads * width, 4);
        this.sink = GemmWork.activations(DType.F32, heads, 5);
        this.latents = new float[copies][];
        for (int c = 0; c < copies; c++) {
            latents[c] = latent(keys * width, 6 + c);
        }
        this.picks = new int[keys - WINDOW];
        Arrays.setAll(picks, i -> i);
        shuffle(picks);
    }

    private static int copiesFor(int m, int keys, int heads, int width) {
        return (int) Math.max(1, Math.ceil(COMPUTED_FLOPS / (4.0 * m * heads * width * keys)));
    }

    /** Numbers of both BF16 and F16, so that a peer without BF16 caches reads the same. */
    private static float[] latent(int count, long seed) {
        float[] x = GemmWork.activations(DType.BF16, count, seed);
        for (int i = 0; i < x.length; i++) {
            x[i] = Math.abs(x[i]) < 0x1p-7f ? Math.copySign(0x1p-7f, x[i]) : x[i];
        }
        return x;
    }

    private static void shuffle(int[] p) {
        SplittableRandom random = new SplittableRandom(7);
        for (int i = p.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int t = p[i];
            p[i] = p[j];
            p[j] = t;
        }
    }

    /** Query rows. */
    public int m() {
        return m;
    }

    /** Keys each row sees. */
    public int keys() {
        return keys;
    }

    /** Heads. */
    public int heads() {
        return heads;
    }

    /** Width of a head and of the latent row. */
    public int width() {
        return width;
    }

    /** Queries {@code [m, heads, width]}. */
    public float[] q() {
        return q;
    }

    /** One per head. */
    public float[] sink() {
        return sink;
    }

    /** Factor on the scores. */
    public float scale() {
        return (float) (1 / Math.sqrt(width));
    }

    /** Key rows {@code [keys, width]} of a copy: first the window by position modulo its length, then the entries. */
    public float[] latents(int copy) {
        return latents[copy];
    }

    /** All entries, in the order of an index without order. */
    public int[] picks() {
        return picks;
    }

    @Override
    public String name() {
        return "attention bf16 m=%d keys=%d heads=%d width=%d".formatted(m, keys, heads, width);
    }

    @Override
    public int copies() {
        return latents.length;
    }

    @Override
    public double flops() {
        return 4.0 * m * heads * width * keys * copies();
    }

    @Override
    public double bytes() {
        return 2.0 * keys * width * copies();
    }

    @Override
    public Arithmetic arithmetic() {
        return Arithmetic.BF16_DOT;
    }

    @Override
    public int columns() {
        return heads * width;
    }

    @Override
    public List<Point> points() {
        return Points.spread(copies(), m, heads * width);
    }

    @Override
    public double expected(Point p) {
        int head = p.column() / width;
        int query = (p.row() * heads + head) * width;
        float[] kv = latents[p.copy()];
        double[] z = new double[keys];
        double max = sink[head];
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < width; i++) {
                z[j] += (double) q[query + i] * kv[j * width + i];
            }
            z[j] *= scale();
            max = Math.max(max, z[j]);
        }
        double sum = Math.exp(sink[head] - max);
        double y = 0;
        for (int j = 0; j < keys; j++) {
            double e = Math.exp(z[j] - max);
            sum += e;
            y += e * kv[j * width + p.column() % width];
        }
        return y / sum;
    }

    @Override
    public void close() {}
}

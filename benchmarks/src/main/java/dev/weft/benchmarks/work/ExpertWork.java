package dev.weft.benchmarks.work;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Routed experts: every row of x {@code [m, k]} times the matrices {@code [n, k]} of the {@code top} experts it chose.
 * All copies share the experts and differ in the choices, which are distributed evenly. Output rows are
 * {@code row * top + choice}.
 */
public final class ExpertWork implements Work {
    private static final double STREAMED_BYTES = 150_000_000;

    private final Arena arena = Arena.ofShared();
    private final int m;
    private final int k;
    private final int n;
    private final int experts;
    private final int top;
    private final float[] x;
    private final Matrix weights;
    private final int[][] choices;

    /** Random MXFP4 experts and choices. */
    public ExpertWork(int m, int k, int n, int experts, int top) {
        this.m = m;
        this.k = k;
        this.n = n;
        this.experts = experts;
        this.top = top;
        this.x = GemmWork.activations(Format.MXFP4.activation(), m * k, 2);
        this.weights = Matrix.random(arena, Format.MXFP4, experts * n, k, 2000);
        double touched = Math.min(experts, (double) m * top) / experts * weights.bytes();
        int copies = Math.min(Math.max(1, experts / (m * top)), (int) Math.max(1, Math.ceil(STREAMED_BYTES / touched)));
        this.choices = choose(copies);
    }

    /** Walks through a random permutation, so that consecutive copies touch different experts as long as there are any. */
    private int[][] choose(int copies) {
        SplittableRandom random = new SplittableRandom(3);
        int[][] out = new int[copies][m * top];
        int[] order = new int[experts];
        int at = experts;
        for (int[] copy : out) {
            for (int row = 0; row < m; row++) {
                if (at + top > experts) {
                    order = permutation(random);
                    at = 0;
                }
                int[] chosen = Arrays.copyOfRange(order, at, at + top);
                Arrays.sort(chosen); // as the gate writes them
                System.arraycopy(chosen, 0, copy, row * top, top);
                at += top;
            }
        }
        return out;
    }

    private int[] permutation(SplittableRandom random) {
        int[] p = new int[experts];
        Arrays.setAll(p, i -> i);
        for (int i = experts - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int t = p[i];
            p[i] = p[j];
            p[j] = t;
        }
        return p;
    }

    /** Rows of x. */
    public int m() {
        return m;
    }

    /** Input features. */
    public int k() {
        return k;
    }

    /** Output features of an expert. */
    public int n() {
        return n;
    }

    /** Number of experts. */
    public int experts() {
        return experts;
    }

    /** Experts per row. */
    public int top() {
        return top;
    }

    /** Activations, row-major. */
    public float[] x() {
        return x;
    }

    /** All experts, one below the other. */
    public Matrix weights() {
        return weights;
    }

    /** Experts of every row, ascending, {@code [m, top]}. */
    public int[] choices(int copy) {
        return choices[copy];
    }

    @Override
    public String name() {
        return "experts mxfp4 m=%d %dx(%d,%d) top %d".formatted(m, experts, k, n, top);
    }

    @Override
    public int copies() {
        return choices.length;
    }

    @Override
    public double flops() {
        return 2.0 * m * top * k * n * copies();
    }

    @Override
    public double bytes() {
        double touched = 0;
        for (int[] copy : choices) {
            touched += Arrays.stream(copy).distinct().count();
        }
        return touched / experts * weights.bytes();
    }

    @Override
    public Arithmetic arithmetic() {
        return Arithmetic.BF16_DOT;
    }

    @Override
    public int columns() {
        return n;
    }

    @Override
    public List<Point> points() {
        return Points.spread(copies(), m * top, n);
    }

    @Override
    public double expected(Point p) {
        long expert = choices[p.copy()][p.row()];
        return GemmWork.dot(x, p.row() / top, weights, expert * n + p.column());
    }

    @Override
    public void close() {
        arena.close();
    }
}

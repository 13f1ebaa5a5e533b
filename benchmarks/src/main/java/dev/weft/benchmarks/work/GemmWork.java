package dev.weft.benchmarks.work;

import dev.weft.DType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/** {@code y = x * w^T} with x {@code [m, k]} and one w {@code [n, k]} per copy. */
public final class GemmWork implements Work {
    /** Distinct weights of a run with few rows: more than any cache holds. */
    private static final long STREAMED_BYTES = 150_000_000;

    /** Rows up to which weights are streamed. */
    private static final int FEW_ROWS = 8;

    /** Work of a run with more rows: some tens of milliseconds. */
    private static final double COMPUTED_FLOPS = 8e9;

    private final Arena arena = Arena.ofShared();
    private final Format format;
    private final int m;
    private final int k;
    private final int n;
    private final float[] x;
    private final List<Matrix> weights = new ArrayList<>();

    /** Random data for as many copies as a measurement needs. */
    public GemmWork(Format format, int m, int k, int n) {
        this(format, m, k, n, copiesFor(format, m, k, n));
    }

    /** Random data. */
    public GemmWork(Format format, int m, int k, int n, int copies) {
        this.format = format;
        this.m = m;
        this.k = k;
        this.n = n;
        this.x = activations(format.activation(), m * k, 1);
        for (int c = 0; c < copies; c++) {
            weights.add(Matrix.random(arena, format, n, k, 1000 + c));
        }
    }

    private static int copiesFor(Format format, int m, int k, int n) {
        var type = format.weight(n, k);
        double copies = m <= FEW_ROWS
                ? (double) STREAMED_BYTES / (type.maxDataBytes() + type.maxScaleBytes())
                : COMPUTED_FLOPS / (2.0 * m * k * n);
        return (int) Math.max(1, Math.ceil(copies));
    }

    /** Normal values that {@code dtype} holds exactly; E4M3 values survive block quantisation with 2^i scales unchanged. */
    static float[] activations(DType dtype, int count, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = dtype.round((float) random.nextGaussian());
        }
        return x;
    }

    /** Format of the weights. */
    public Format format() {
        return format;
    }

    /** Rows of x. */
    public int m() {
        return m;
    }

    /** Input features. */
    public int k() {
        return k;
    }

    /** Output features. */
    public int n() {
        return n;
    }

    /** Activations, row-major. */
    public float[] x() {
        return x;
    }

    /** The weights of the copies. */
    public List<Matrix> weights() {
        return weights;
    }

    @Override
    public String name() {
        return "gemm %s m=%d k=%d n=%d".formatted(format.name().toLowerCase(Locale.ROOT), m, k, n);
    }

    @Override
    public int copies() {
        return weights.size();
    }

    @Override
    public double flops() {
        return 2.0 * m * k * n * copies();
    }

    @Override
    public double bytes() {
        return weights.stream().mapToDouble(Matrix::bytes).sum();
    }

    @Override
    public Arithmetic arithmetic() {
        return format == Format.F32 ? Arithmetic.F32_FMA : Arithmetic.BF16_DOT;
    }

    @Override
    public int columns() {
        return n;
    }

    @Override
    public List<Point> points() {
        return Points.spread(copies(), m, n);
    }

    @Override
    public double expected(Point p) {
        return dot(x, p.row(), weights.get(p.copy()), p.column());
    }

    /** Row {@code row} of x times row {@code output} of w. */
    static double dot(float[] x, int row, Matrix w, long output) {
        double sum = 0;
        for (int i = 0; i < w.columns(); i++) {
            sum += x[row * w.columns() + i] * w.value(output, i);
        }
        return sum;
    }

    @Override
    public void close() {
        arena.close();
    }
}

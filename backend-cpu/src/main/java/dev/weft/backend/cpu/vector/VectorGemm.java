package dev.weft.backend.cpu.vector;

import dev.weft.Scaling;
import dev.weft.backend.cpu.Workers;
import dev.weft.op.ExpertGemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import java.util.Arrays;

/**
 * The three matrix products. Weights are decoded in panels, which fit a first-level cache; each panel is multiplied with
 * all rows, or many, while it is there. A single row may be multiplied by weights as they are decoded.
 */
final class VectorGemm {
    private static final int X = 0;
    private static final int WEIGHT = 1;
    private static final int OFFSETS = 2;

    private static final int PANEL = 0;
    private static final int TOTALS = 1;
    private static final int ROW = 2;

    /** Most rows per pass over the weights: their totals stay in a second-level cache. */
    private static final int PASS = 64;

    /** Floats of the totals of a row. */
    private static final int TOTALS_PITCH = WeightPanel.COLUMNS * Lanes.COUNT;

    private final Workers workers;
    private final Scratch[] scratch;
    private final Op op;
    private final Operands a;
    private final Rows x;
    private final Rows y;
    private final WeightPanel weight;
    private final int k;
    private final int n;
    private final int panels;
    private final int steps;
    /** Floats of a row of x: whole steps. */
    private final int width;
    /** All rows of x as floats, in the order of decoded weights. */
    private final float[] floats;

    private VectorGemm(Workers workers, Scratch[] scratch, Scratch shared, Op op, Operands a) {
        this.workers = workers;
        this.scratch = scratch;
        this.op = op;
        this.a = a;
        this.x = Rows.of(a, X);
        this.y = Rows.of(a, a.count() - 1);
        this.k = x.width();
        this.n = y.width();
        this.weight = new WeightPanel(a, WEIGHT, n, k);
        this.panels = Math.ceilDiv(n, WeightPanel.COLUMNS);
        this.steps = WeightPanel.steps(k);
        this.width = steps * WeightDecoder.STEP;
        this.floats = shared.floats(0, Math.multiplyExact(x.rows(), width));
    }

    /** Runs one call. @param shared scratch arrays that no worker uses otherwise */
    static void run(Workers workers, Scratch[] scratch, Scratch shared, Op op, Operands a) {
        VectorGemm gemm = new VectorGemm(workers, scratch, shared, op, a);
        if (gemm.x.rows() == 0 || gemm.n == 0) {
            return;
        }
        workers.parallelFor(gemm.x.rows(), gemm::decodeRow);
        int matrices = a.rank(WEIGHT) == 2 ? 1 : Math.toIntExact(a.dim(WEIGHT, 0));
        workers.parallelFor(matrices * gemm.panels, gemm::panel);
    }

    /** Values of a row of x: codes times their scales, which is exact. Zeros follow. */
    private void decodeRow(int row, int worker) {
        float[] values = scratch[worker].floats(ROW, width);
        x.decode(row, values, 0);
        Scaling scaling = a.scaling(X);
        if (!scaling.isNone()) {
            long scales = a.scaleAddress(X) + (long) row * Math.ceilDiv(k, scaling.columns());
            for (int from = 0; from < k; from += scaling.columns()) {
                float scale = Memory.scale(scales + from / scaling.columns());
                for (int i = from; i < Math.min(k, from + scaling.columns()); i++) {
                    values[i] *= scale;
                }
            }
        }
        Arrays.fill(values, k, width, 0f);
        WeightDecoder.reorder(a.dtype(WEIGHT), values, floats, row * width, steps);
    }

    private void panel(int item, int worker) {
        int matrix = item / panels;
        // rows of x and y that meet this matrix: first, first + step, ...
        int first = 0;
        int step = 1;
        int rows = x.rows();
        if (op instanceof GroupedGemm) {
            first = matrix;
            step = Math.toIntExact(a.dim(WEIGHT, 0));
            rows = x.rows() / step;
        } else if (op instanceof ExpertGemm) {
            first = Memory.index(a, OFFSETS, matrix);
            rows = Memory.index(a, OFFSETS, matrix + 1) - first;
        }
        for (int done = 0; done < rows; done += PASS) {
            pass(
                    matrix,
                    item % panels * WeightPanel.COLUMNS,
                    first + done * step,
                    step,
                    Math.min(PASS, rows - done),
                    scratch[worker]);
        }
    }

    private void pass(int matrix, int column, int first, int step, int rows, Scratch s) {
        float[] totals = s.floats(TOTALS, rows * TOTALS_PITCH);
        s.fetched = weight.fetch(matrix, column);
        if (rows > 1 || !weight.dot(matrix, column, floats, first * width, totals)) {
            decodeAndMultiply(matrix, column, first, step, rows, totals, s);
        }
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < Math.min(WeightPanel.COLUMNS, n - column); c++) {
                y.store(first + r * step, column + c, Lanes.total(totals, r * TOTALS_PITCH + c * Lanes.COUNT));
            }
        }
    }

    private void decodeAndMultiply(int matrix, int column, int first, int step, int rows, float[] totals, Scratch s) {
        Arrays.fill(totals, 0, rows * TOTALS_PITCH, 0f);
        float[] values = s.floats(PANEL, WeightPanel.COLUMNS * WeightPanel.PITCH);
        for (int from = 0; from < steps; from += WeightPanel.STEPS) {
            int count = Math.min(WeightPanel.STEPS, steps - from);
            weight.decode(matrix, column, from, count, values, s);
            multiply(first * width + from * WeightDecoder.STEP, step * width, rows, count, values, totals);
        }
    }

    /** Adds the products of a panel and all rows of a pass, the first at {@code start}, to the totals. */
    private void multiply(int start, int stride, int rows, int steps, float[] values, float[] totals) {
        int count = steps * WeightDecoder.STEP;
        for (int r = 0; r < rows; ) {
            int height = r + 4 <= rows ? 4 : 1;
            int row = start + r * stride;
            for (int c = 0; c < WeightPanel.COLUMNS; c += Tile.COLUMNS) {
                int column = c * WeightPanel.PITCH;
                int total = r * TOTALS_PITCH + c * Lanes.COUNT;
                if (height == 4) {
                    Tile.four(
                            floats, row, stride, values, column, WeightPanel.PITCH, count, totals, total, TOTALS_PITCH);
                } else {
                    Tile.one(floats, row, values, column, WeightPanel.PITCH, count, totals, total);
                }
            }
            r += height;
        }
    }
}

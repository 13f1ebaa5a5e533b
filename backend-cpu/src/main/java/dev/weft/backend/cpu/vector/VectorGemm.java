package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.backend.cpu.Workers;
import dev.weft.op.ExpertGemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import java.util.Arrays;

/**
 * The three matrix products. A panel of as many columns as there are lanes is decoded and transposed block by block of K;
 * each block is multiplied with all rows while it is in the cache, scaled and added to the totals in ascending order.
 */
final class VectorGemm {
    /** Sums are formed per scale block; per this many elements where there are no scales. */
    private static final int BLOCK = 128;

    private static final int X = 0;
    private static final int WEIGHT = 1;
    private static final int OFFSETS = 2;

    private static final int PANEL = 0;
    private static final int TOTALS = 1;
    private static final int SCALES = 2;

    private final Workers workers;
    private final Scratch[] scratch;
    private final Op op;
    private final Operands a;
    private final Rows x;
    private final Rows y;
    private final int k;
    private final int n;
    private final int panels;
    private final int block;
    /** All rows of x as floats, tight. */
    private final float[] floats;

    private VectorGemm(Workers workers, Scratch[] scratch, float[] floats, Op op, Operands a) {
        this.workers = workers;
        this.scratch = scratch;
        this.op = op;
        this.a = a;
        this.x = Rows.of(a, X);
        this.y = Rows.of(a, a.count() - 1);
        this.k = x.width();
        this.n = y.width();
        this.panels = Math.ceilDiv(n, Lanes.COUNT);
        this.block = a.scaling(WEIGHT).isNone() ? BLOCK : a.scaling(WEIGHT).columns();
        this.floats = floats;
    }

    /** Runs one call. @param shared scratch arrays that no worker uses otherwise */
    static void run(Workers workers, Scratch[] scratch, Scratch shared, Op op, Operands a) {
        Rows x = Rows.of(a, X);
        float[] floats = shared.floats(0, Math.multiplyExact(x.rows(), x.width()));
        VectorGemm gemm = new VectorGemm(workers, scratch, floats, op, a);
        if (gemm.x.rows() == 0 || gemm.n == 0) {
            return;
        }
        workers.parallelFor(gemm.x.rows(), (row, worker) -> gemm.decodeRow(row));
        int matrices = a.rank(WEIGHT) == 2 ? 1 : Math.toIntExact(a.dim(WEIGHT, 0));
        workers.parallelFor(matrices * gemm.panels, gemm::panel);
    }

    /** Values of a row of x: codes times their scales, which is exact. */
    private void decodeRow(int row) {
        x.decode(row, floats, row * k);
        Scaling scaling = a.scaling(X);
        if (scaling.isNone()) {
            return;
        }
        int groups = Math.ceilDiv(k, scaling.columns());
        for (int i = 0; i < k; i++) {
            floats[row * k + i] *= Memory.scale(a.scaleAddress(X) + (long) row * groups + i / scaling.columns());
        }
    }

    private void panel(int item, int worker) {
        int matrix = item / panels;
        int column = item % panels * Lanes.COUNT;
        int columns = Math.min(Lanes.COUNT, n - column);
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
        if (rows == 0) {
            return;
        }
        Scratch s = scratch[worker];
        float[] totals = s.floats(TOTALS, rows * Lanes.COUNT);
        Arrays.fill(totals, 0, rows * Lanes.COUNT, 0f);
        float[] panel = s.floats(PANEL, BLOCK * Lanes.COUNT);
        Arrays.fill(panel, 0, BLOCK * Lanes.COUNT, 0f);
        float[] scales = s.floats(SCALES, Lanes.COUNT);
        Arrays.fill(scales, 0, Lanes.COUNT, 1f);
        for (int from = 0; from < k; from += block) {
            int count = Math.min(block, k - from);
            decodePanel(matrix, column, columns, from, count, panel, scales);
            multiply(first, step, rows, from, count, panel, scales, totals);
        }
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                y.store(first + r * step, column + c, totals[r * Lanes.COUNT + c]);
            }
        }
    }

    private void decodePanel(int matrix, int column, int columns, int from, int count, float[] panel, float[] scales) {
        DType dtype = a.dtype(WEIGHT);
        Scaling scaling = a.scaling(WEIGHT);
        boolean single = a.rank(WEIGHT) == 2;
        long rowPitch = single ? a.pitch(WEIGHT) : k;
        long first = single ? 0 : matrix * a.pitch(WEIGHT);
        for (int c = 0; c < columns; c++) {
            long at = Memory.at(dtype, a.address(WEIGHT), first + (column + c) * rowPitch + from);
            Memory.decode(dtype, at, count, panel, c, Lanes.COUNT);
            if (!scaling.isNone()) {
                long perRow = Math.ceilDiv(k, scaling.columns());
                long row = (long) matrix * Math.ceilDiv(n, scaling.rows()) + (column + c) / scaling.rows();
                scales[c] = Memory.scale(a.scaleAddress(WEIGHT) + row * perRow + from / scaling.columns());
            }
        }
    }

    private void multiply(
            int first, int step, int rows, int from, int count, float[] panel, float[] scales, float[] totals) {
        int stride = step * k;
        int start = first * k + from;
        int r = 0;
        for (; r + 4 <= rows; r += 4) {
            Lanes.addDot4(floats, start + r * stride, stride, panel, count, scales, totals, r * Lanes.COUNT);
        }
        for (; r < rows; r++) {
            Lanes.addDot(floats, start + r * stride, panel, count, scales, totals, r * Lanes.COUNT);
        }
    }
}

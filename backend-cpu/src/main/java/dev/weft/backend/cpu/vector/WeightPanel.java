package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import java.lang.foreign.ValueLayout;

/** The weight of a matrix product, row-major, of which some columns of the result times a stretch of K are decoded. */
final class WeightPanel {
    /** Columns of a panel. */
    static final int COLUMNS = 2 * Tile.COLUMNS;

    /** Steps of a panel: with the activations that meet it, it stays in a first-level cache. */
    static final int STEPS = 8;

    private static final int LINE = 64;

    /** Elements of K of a panel. */
    static final int PITCH = STEPS * WeightDecoder.STEP;

    private final DType dtype;
    private final Scaling scaling;
    private final long data;
    private final long scales;
    private final long pitch;
    private final long matrixPitch;
    private final int n;
    private final int k;

    /** @param operand number of the weight {@code [n, k]} or {@code [E, n, k]} */
    WeightPanel(Operands a, int operand, int n, int k) {
        boolean single = a.rank(operand) == 2;
        this.dtype = a.dtype(operand);
        this.scaling = a.scaling(operand);
        this.data = a.address(operand);
        this.scales = a.scaleAddress(operand);
        this.pitch = single ? a.pitch(operand) : k;
        this.matrixPitch = single ? 0 : a.pitch(operand);
        this.n = n;
        this.k = k;
    }

    /** Steps that cover K. */
    static int steps(int k) {
        return Math.ceilDiv(k, WeightDecoder.STEP);
    }

    /**
     * Decodes {@code steps} steps from step {@code first} on of columns {@code column, column + 1, ...}, the last one again
     * where the matrix has no more. Zeros follow the end of K.
     *
     * @param values receives {@link #COLUMNS} columns, {@link #PITCH} apart
     */
    void decode(int matrix, int column, int first, int steps, float[] values, Scratch s) {
        int from = first * WeightDecoder.STEP;
        int whole = Math.min(steps, (k - from) / WeightDecoder.STEP);
        int[] scales = s.ints(STEPS);
        for (int c = 0; c < COLUMNS; c++) {
            int row = Math.min(column + c, n - 1);
            scales(matrix, row, from, steps, scales);
            long at = Memory.at(dtype, row(matrix, row), from);
            WeightDecoder.decode(dtype, at, whole, scales, values, c * PITCH);
            if (whole < steps) {
                int done = whole * WeightDecoder.STEP;
                scales[0] = scales[whole];
                long tail = s.padded(Memory.at(dtype, at, done), dtype.bytes(k - from - done));
                WeightDecoder.decode(dtype, tail, 1, scales, values, c * PITCH + done);
            }
        }
    }

    /**
     * One row of activations times columns {@code column, column + 1, ...} over all of K, with the bits of decoding and
     * {@link Tile#one}.
     *
     * @param x activations in the order of the weights, from {@code at} on
     * @param totals receives a vector of sums for each of {@link #COLUMNS} columns that there are
     * @return false if these weights must be decoded first
     */
    boolean dot(int matrix, int column, float[] x, int at, float[] totals) {
        if (!RowDot.supports(dtype, scaling, k)) {
            return false;
        }
        boolean done = true;
        for (int c = 0; done && c < Math.min(COLUMNS, n - column); c++) {
            int row = column + c;
            done = RowDot.sums(
                    dtype, x, at, row(matrix, row), scaleRow(matrix, row), steps(k), totals, c * Lanes.COUNT);
        }
        return done;
    }

    private long scaleRow(int matrix, int row) {
        long above = (long) matrix * Math.ceilDiv(n, scaling.rows()) + row / scaling.rows();
        return scales + above * Math.ceilDiv(k, scaling.columns());
    }

    private long row(int matrix, int row) {
        return Memory.at(dtype, data, matrix * matrixPitch + row * pitch);
    }

    /**
     * Reads what {@link #decode} will read of some columns, all of K, in the order of addresses: decoding leaps from row
     * to row, where no prefetcher follows.
     *
     * @return a number, to be kept, so that the reading is not dropped
     */
    long fetch(int matrix, int column) {
        long sum = 0;
        long bytes = dtype.bytes(k) - Long.BYTES;
        for (int row = column; row < Math.min(column + COLUMNS, n); row++) {
            long from = row(matrix, row);
            for (long i = 0; i <= bytes; i += LINE) {
                sum += Memory.ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, from + i);
            }
        }
        return sum;
    }

    /** Scale bytes of a stretch of a row, as the decoder wants them; 0 behind the last one. */
    private void scales(int matrix, int row, int from, int steps, int[] to) {
        if (scaling.isNone()) {
            return;
        }
        int perRow = Math.ceilDiv(k, scaling.columns());
        long first = scaleRow(matrix, row);
        for (int i = 0; i < steps; i++) {
            int block = (from + i * WeightDecoder.STEP) / scaling.columns();
            if (dtype != DType.F4_E2M1) {
                to[i] = (Memory.ALL.get(ValueLayout.JAVA_BYTE, first + block) & 0xFF) * 0x01010101;
            } else if (WeightDecoder.SCALES == Integer.BYTES && block + Integer.BYTES <= perRow) {
                to[i] = Memory.i32(first + block);
            } else {
                to[i] = 0;
                for (int b = 0; b < Math.min(WeightDecoder.SCALES, perRow - block); b++) {
                    to[i] |= (Memory.ALL.get(ValueLayout.JAVA_BYTE, first + block + b) & 0xFF) << b * Byte.SIZE;
                }
            }
        }
    }
}

package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import java.util.Arrays;

/** The weight of a matrix product, row-major, of which some columns of the result times a stretch of K are decoded. */
final class WeightPanel {
    /** Columns of a panel. */
    static final int COLUMNS = 4 * Tile.COLUMNS;

    /** Steps of a panel: with the activations that meet it, it stays in a first-level cache. */
    static final int STEPS = 4;

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
        float[] scales = s.floats(Scratch.SCALES, STEPS * WeightDecoder.scalesPerStep(dtype) + Lanes.COUNT);
        for (int c = 0; c < COLUMNS; c++) {
            int row = Math.min(column + c, n - 1);
            scales(matrix, row, from, steps, scales);
            long at = Memory.at(dtype, data, matrix * matrixPitch + row * pitch + from);
            WeightDecoder.decode(dtype, at, whole, scales, values, c * PITCH);
            if (whole < steps) {
                int done = whole * WeightDecoder.STEP;
                int perStep = WeightDecoder.scalesPerStep(dtype);
                System.arraycopy(scales, whole * perStep, scales, 0, perStep);
                long tail = s.padded(Memory.at(dtype, at, done), dtype.bytes(k - from - done));
                WeightDecoder.decode(dtype, tail, 1, scales, values, c * PITCH + done);
            }
        }
    }

    /** Scales of a stretch of a row; 1 behind the last one. */
    private void scales(int matrix, int row, int from, int steps, float[] to) {
        if (scaling.isNone()) {
            return;
        }
        int perRow = Math.ceilDiv(k, scaling.columns());
        long address = scales + ((long) matrix * Math.ceilDiv(n, scaling.rows()) + row / scaling.rows()) * perRow;
        int perStep = WeightDecoder.scalesPerStep(dtype);
        int span = WeightDecoder.STEP / perStep;
        int count = Math.min(steps * perStep, Math.ceilDiv(k - from, span));
        for (int i = 0; i < count; i++) {
            to[i] = Memory.scale(address + (from + i * span) / scaling.columns());
        }
        Arrays.fill(to, count, steps * perStep + Lanes.COUNT, 1f);
    }
}

package dev.weft.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;

/**
 * Rows of activations times four columns of decoded weights, lanes along K. Every product of a row and a column does the
 * same operations, whichever rows share its tile.
 *
 * <p>Offsets are in floats. Results go to arrays, because a vector returned from a method that is not inlined becomes an
 * object. The loops are as the compiler keeps them in registers: one loop, nothing between the multiply-adds.
 */
final class Tile {
    /** Columns of a tile. */
    static final int COLUMNS = 4;

    private static final int L = Lanes.COUNT;

    private Tile() {}

    /**
     * One row.
     *
     * @param x activations in the order of the weights
     * @param row where the row begins in {@code x}
     * @param w decoded weights
     * @param column where the first column begins in {@code w}; the next is {@code pitch} floats on
     * @param count products per sum: whole vectors
     * @param totals vectors to which the products are added, lane by lane
     * @param total where that of the first column begins; the next is one vector on
     */
    static void one(float[] x, int row, float[] w, int column, int pitch, int count, float[] totals, int total) {
        FloatVector s0 = load(totals, total);
        FloatVector s1 = load(totals, total + L);
        FloatVector s2 = load(totals, total + 2 * L);
        FloatVector s3 = load(totals, total + 3 * L);
        for (int i = 0; i < count; i += L) {
            FloatVector w0 = load(w, column + i);
            FloatVector w1 = load(w, column + pitch + i);
            FloatVector w2 = load(w, column + 2 * pitch + i);
            FloatVector w3 = load(w, column + 3 * pitch + i);
            FloatVector x0 = load(x, row + i);
            s0 = x0.fma(w0, s0);
            s1 = x0.fma(w1, s1);
            s2 = x0.fma(w2, s2);
            s3 = x0.fma(w3, s3);
        }
        s0.intoArray(totals, total);
        s1.intoArray(totals, total + L);
        s2.intoArray(totals, total + 2 * L);
        s3.intoArray(totals, total + 3 * L);
    }

    /**
     * Four rows, else as {@link #one}.
     *
     * @param rowPitch floats between rows
     * @param totalPitch floats between the totals of rows
     */
    static void four(
            float[] x,
            int row,
            int rowPitch,
            float[] w,
            int column,
            int pitch,
            int count,
            float[] totals,
            int total,
            int totalPitch) {
        int row1 = row + rowPitch;
        int row2 = row1 + rowPitch;
        int row3 = row2 + rowPitch;
        int total1 = total + totalPitch;
        int total2 = total1 + totalPitch;
        int total3 = total2 + totalPitch;
        FloatVector s0 = load(totals, total);
        FloatVector s1 = load(totals, total + L);
        FloatVector s2 = load(totals, total + 2 * L);
        FloatVector s3 = load(totals, total + 3 * L);
        FloatVector t0 = load(totals, total1);
        FloatVector t1 = load(totals, total1 + L);
        FloatVector t2 = load(totals, total1 + 2 * L);
        FloatVector t3 = load(totals, total1 + 3 * L);
        FloatVector u0 = load(totals, total2);
        FloatVector u1 = load(totals, total2 + L);
        FloatVector u2 = load(totals, total2 + 2 * L);
        FloatVector u3 = load(totals, total2 + 3 * L);
        FloatVector v0 = load(totals, total3);
        FloatVector v1 = load(totals, total3 + L);
        FloatVector v2 = load(totals, total3 + 2 * L);
        FloatVector v3 = load(totals, total3 + 3 * L);
        for (int i = 0; i < count; i += L) {
            FloatVector w0 = load(w, column + i);
            FloatVector w1 = load(w, column + pitch + i);
            FloatVector w2 = load(w, column + 2 * pitch + i);
            FloatVector w3 = load(w, column + 3 * pitch + i);
            FloatVector x0 = load(x, row + i);
            s0 = x0.fma(w0, s0);
            s1 = x0.fma(w1, s1);
            s2 = x0.fma(w2, s2);
            s3 = x0.fma(w3, s3);
            FloatVector x1 = load(x, row1 + i);
            t0 = x1.fma(w0, t0);
            t1 = x1.fma(w1, t1);
            t2 = x1.fma(w2, t2);
            t3 = x1.fma(w3, t3);
            FloatVector x2 = load(x, row2 + i);
            u0 = x2.fma(w0, u0);
            u1 = x2.fma(w1, u1);
            u2 = x2.fma(w2, u2);
            u3 = x2.fma(w3, u3);
            FloatVector x3 = load(x, row3 + i);
            v0 = x3.fma(w0, v0);
            v1 = x3.fma(w1, v1);
            v2 = x3.fma(w2, v2);
            v3 = x3.fma(w3, v3);
        }
        s0.intoArray(totals, total);
        s1.intoArray(totals, total + L);
        s2.intoArray(totals, total + 2 * L);
        s3.intoArray(totals, total + 3 * L);
        t0.intoArray(totals, total1);
        t1.intoArray(totals, total1 + L);
        t2.intoArray(totals, total1 + 2 * L);
        t3.intoArray(totals, total1 + 3 * L);
        u0.intoArray(totals, total2);
        u1.intoArray(totals, total2 + L);
        u2.intoArray(totals, total2 + 2 * L);
        u3.intoArray(totals, total2 + 3 * L);
        v0.intoArray(totals, total3);
        v1.intoArray(totals, total3 + L);
        v2.intoArray(totals, total3 + 2 * L);
        v3.intoArray(totals, total3 + 3 * L);
    }

    private static FloatVector load(float[] from, int at) {
        return FloatVector.fromArray(Lanes.SPECIES, from, at);
    }
}

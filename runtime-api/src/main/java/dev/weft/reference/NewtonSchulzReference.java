package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.NewtonSchulz;

/** Muon's orthogonalisation. */
final class NewtonSchulzReference {
    private NewtonSchulzReference() {}

    /** {@code X = G / max(|G|, 1e-7)}, then per step {@code A = X X^T}, {@code X = a X + (b A + c A A) X}. */
    static void orthogonalise(NewtonSchulz op, HostOperand g, HostOperand y) {
        float[][] x = g.allRows();
        if (x.length == 0 || g.columns() == 0) {
            return;
        }
        boolean tall = x.length > x[0].length;
        x = tall ? transposed(x) : x;
        round(x, op.compute());
        divide(x, Math.max(frobenius(x), 1e-7), op.compute());
        for (int step = 0; step < op.schedule().steps(); step++) {
            double[] abc = op.schedule().coefficients(step);
            float[][] a = product(x, transposed(x), op.compute());
            float[][] b = sum(abc[1], a, abc[2], product(a, a, op.compute()), op.compute());
            x = sum(abc[0], x, 1, product(b, x, op.compute()), op.compute());
        }
        x = tall ? transposed(x) : x;
        for (int i = 0; i < x.length; i++) {
            y.setRow(i, x[i]);
        }
    }

    private static double frobenius(float[][] x) {
        double sum = 0;
        for (float[] row : x) {
            for (float v : row) {
                sum += (double) v * v;
            }
        }
        return Math.sqrt(sum);
    }

    private static void divide(float[][] x, double divisor, DType compute) {
        for (float[] row : x) {
            for (int c = 0; c < row.length; c++) {
                row[c] = compute.round((float) (row[c] / divisor));
            }
        }
    }

    private static void round(float[][] x, DType dtype) {
        for (float[] row : x) {
            QuantReference.round(row, dtype);
        }
    }

    private static float[][] transposed(float[][] x) {
        float[][] t = new float[x[0].length][x.length];
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < t.length; j++) {
                t[j][i] = x[i][j];
            }
        }
        return t;
    }

    /** {@code a * b}, rounded to {@code compute}. */
    private static float[][] product(float[][] a, float[][] b, DType compute) {
        float[][] columns = transposed(b);
        float[][] c = new float[a.length][columns.length];
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < columns.length; j++) {
                c[i][j] = compute.round(GemmReference.dot(a[i], columns[j]));
            }
        }
        return c;
    }

    /** {@code p * a + q * b}, rounded to {@code compute}. */
    private static float[][] sum(double p, float[][] a, double q, float[][] b, DType compute) {
        float[][] c = new float[a.length][a[0].length];
        for (int i = 0; i < c.length; i++) {
            for (int j = 0; j < c[i].length; j++) {
                c[i][j] = compute.round((float) (p * a[i][j] + q * b[i][j]));
            }
        }
        return c;
    }
}

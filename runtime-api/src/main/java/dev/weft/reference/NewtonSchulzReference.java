package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.NewtonSchulz;

/** Muon's orthogonalisation. */
final class NewtonSchulzReference {
    private NewtonSchulzReference() {}

    /**
     * {@code X = G / max(|G|, 1e-7)}, then per step {@code A = X X^T}, {@code B = b A + c A A}, {@code X = a X + B X}.
     * Norm, quotient, A, B and X are each rounded once to {@code compute}.
     */
    static void orthogonalise(NewtonSchulz op, HostOperand g, HostOperand y) {
        float[][] x = g.allRows();
        if (x.length == 0 || g.columns() == 0) {
            return;
        }
        boolean tall = x.length > x[0].length;
        x = tall ? transposed(x) : x;
        normalise(x, op.compute());
        for (int step = 0; step < op.schedule().steps(); step++) {
            double[] abc = op.schedule().coefficients(step);
            float[][] a = multiplyAdd(0, x, 1, x, transposed(x), op.compute());
            float[][] b = multiplyAdd(abc[1], a, abc[2], a, a, op.compute());
            x = multiplyAdd(abc[0], x, 1, b, x, op.compute());
        }
        x = tall ? transposed(x) : x;
        for (int i = 0; i < x.length; i++) {
            y.setRow(i, x[i]);
        }
    }

    private static void normalise(float[][] x, DType compute) {
        double sum = 0;
        for (float[] row : x) {
            QuantReference.round(row, compute);
            for (float v : row) {
                sum += (double) v * v;
            }
        }
        double norm = Math.max(compute.round((float) Math.sqrt(sum)), 1e-7);
        for (float[] row : x) {
            for (int c = 0; c < row.length; c++) {
                row[c] = compute.round((float) (row[c] / norm));
            }
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

    /** {@code p * c + q * a * b}, F64, rounded once to {@code compute}; c is not read if p is 0. */
    private static float[][] multiplyAdd(double p, float[][] c, double q, float[][] a, float[][] b, DType compute) {
        float[][] columns = transposed(b);
        float[][] out = new float[a.length][columns.length];
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < columns.length; j++) {
                double sum = 0;
                for (int k = 0; k < columns[j].length; k++) {
                    sum += (double) a[i][k] * columns[j][k];
                }
                double addend = p == 0 ? 0 : p * c[i][j];
                out[i][j] = compute.round((float) (addend + q * sum));
            }
        }
        return out;
    }
}

package dev.weft.reference;

/** The three matrix products with weights in checkpoint order. */
final class GemmReference {
    private GemmReference() {}

    /** {@code y[i, n] = sum_k x[i, k] * w[n, k]}. */
    static void gemm(HostOperand x, HostOperand w, HostOperand y) {
        float[][] rows = x.allRows();
        float[][] out = new float[rows.length][w.dim(0)];
        multiply(rows, w, 0, out);
        store(out, y, 0, 1);
    }

    /** {@code y[i, g, n] = sum_k x[i, g, k] * w[g, n, k]}. */
    static void grouped(HostOperand x, HostOperand w, HostOperand y) {
        int groups = w.dim(0);
        int outputs = w.dim(1);
        for (int g = 0; g < groups; g++) {
            float[][] rows = new float[x.dim(0)][];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = x.row((long) i * groups + g);
            }
            float[][] out = new float[rows.length][outputs];
            multiply(rows, w, (long) g * outputs, out);
            store(out, y, g, groups);
        }
    }

    /** {@code y[p, n] = sum_k x[p, k] * w[e, n, k]} for {@code offsets[e] <= p < offsets[e+1]}. */
    static void experts(HostOperand x, HostOperand w, HostOperand offsets, HostOperand y) {
        int[] first = offsets.ints(0);
        int outputs = w.dim(1);
        for (int e = 0; e < w.dim(0); e++) {
            if (first[e] == first[e + 1]) {
                continue;
            }
            float[][] out = new float[first[e + 1] - first[e]][outputs];
            multiply(x.rows(first[e], first[e + 1]), w, (long) e * outputs, out);
            store(out, y, first[e], 1);
        }
    }

    /** Row i of {@code out} is {@code x[i] * w^T}, w being the rows of the operand from {@code firstRow} on. */
    private static void multiply(float[][] x, HostOperand w, long firstRow, float[][] out) {
        if (x.length == 0) {
            return;
        }
        for (int n = 0; n < out[0].length; n++) {
            float[] weights = w.row(firstRow + n);
            for (int i = 0; i < x.length; i++) {
                out[i][n] = dot(x[i], weights);
            }
        }
    }

    /** {@code sum_k a_k * b_k}: products are exact in F64 and summed in ascending order, one rounding to F32. */
    static float dot(float[] a, float[] b) {
        double sum = 0;
        for (int k = 0; k < a.length; k++) {
            sum += (double) a[k] * b[k];
        }
        return (float) sum;
    }

    private static void store(float[][] rows, HostOperand y, long first, long step) {
        for (int i = 0; i < rows.length; i++) {
            y.setRow(first + i * step, rows[i]);
        }
    }
}

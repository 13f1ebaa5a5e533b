package dev.weft.reference;

import dev.weft.op.TopK;
import java.util.Arrays;
import java.util.Comparator;

/** Softmax, top-k and the draw of a token. */
final class SelectReference {
    private SelectReference() {}

    /** {@code y_i = e_i / sum e} with {@code e_i = exp(x_i - max)}; zeros if the maximum is negative infinity. */
    static void softmax(HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            y.setRow(i, softmax(x.row(i)));
        }
    }

    /** Softmax of one row in F64, rounded to F32. */
    static float[] softmax(float[] x) {
        float max = Float.NEGATIVE_INFINITY;
        for (float v : x) {
            max = Math.max(max, v);
        }
        float[] y = new float[x.length];
        if (max == Float.NEGATIVE_INFINITY) {
            return y;
        }
        double sum = 0;
        for (float v : x) {
            sum += Math.exp((double) v - max);
        }
        for (int c = 0; c < x.length; c++) {
            y[c] = (float) (Math.exp((double) x[c] - max) / sum);
        }
        return y;
    }

    /** The k largest of each row, largest first. */
    static void topK(TopK op, HostOperand x, HostOperand values, HostOperand columns) {
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            int[] best = Ranking.best(row, row.length, op.k());
            float[] picked = new float[op.k()];
            for (int j = 0; j < picked.length; j++) {
                picked[j] = row[best[j]];
            }
            values.setRow(i, picked);
            columns.setInts(i, best);
        }
    }

    static void sample(
            HostOperand logits, HostOperand temperature, HostOperand topP, HostOperand uniform, HostOperand y) {
        int rows = logits.rows();
        int[] ids = new int[rows];
        for (int i = 0; i < rows; i++) {
            float[] row = logits.row(i);
            boolean finite = false;
            for (float v : row) {
                finite |= Float.isFinite(v);
            }
            float t = temperature.row(0)[i];
            if (!finite) {
                ids[i] = 0;
            } else if (t == 0) {
                ids[i] = Ranking.best(row, row.length, 1)[0];
            } else {
                ids[i] = draw(probabilities(row, t), topP.row(0)[i], uniform.row(0)[i]);
            }
        }
        y.setInts(0, ids);
    }

    /**
     * {@code softmax(logits / temperature)} in F64. An infinite logit leaves nothing to the finite ones, the limit of the
     * formula.
     */
    private static double[] probabilities(float[] logits, double temperature) {
        double max = Double.NEGATIVE_INFINITY;
        for (float v : logits) {
            max = Float.isNaN(v) ? max : Math.max(max, v / temperature);
        }
        double[] p = new double[logits.length];
        double sum = 0;
        for (int c = 0; c < p.length; c++) {
            double z = logits[c] / temperature;
            if (!Double.isNaN(z)) {
                p[c] = z == max ? 1 : Math.exp(z - max);
                sum += p[c];
            }
        }
        for (int c = 0; c < p.length; c++) {
            p[c] /= sum;
        }
        return p;
    }

    /**
     * Keeps the most probable ids up to the one at which the cumulative sum reaches {@code topP}, and returns the first
     * kept id whose cumulative sum exceeds {@code uniform * kept}.
     */
    private static int draw(double[] p, double topP, double uniform) {
        Integer[] order = new Integer[p.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.<Integer>comparingDouble(i -> -p[i]).thenComparingInt(i -> i));
        int kept = 0;
        double sum = 0;
        do {
            sum += p[order[kept++]];
        } while (kept < order.length && sum < topP);
        double threshold = uniform * sum;
        double cumulative = 0;
        for (int j = 0; j < kept; j++) {
            cumulative += p[order[j]];
            if (cumulative > threshold) {
                return order[j];
            }
        }
        // uniform < 1, but its product with the sum may round up to the sum
        return order[kept - 1];
    }
}

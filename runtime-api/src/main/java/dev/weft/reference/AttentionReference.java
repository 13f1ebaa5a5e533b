package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import java.util.ArrayList;
import java.util.List;

/** Shared-KV attention over a window and compressed entries, and the ring that keeps the window. */
final class AttentionReference {
    private AttentionReference() {}

    static void sparseAttention(SparseAttention op, HostOperand[] o) {
        HostOperand q = o[0];
        HostOperand y = o[o.length - 1];
        float[] sinks = o[3].row(0);
        Sequences steps = new Sequences(o[4], o[5]);
        for (int s = 0; s < steps.count(); s++) {
            for (int i = steps.firstRow(s); i < steps.endRow(s); i++) {
                float[][] keys = keys(op, o, steps, s, i);
                for (int h = 0; h < sinks.length; h++) {
                    long row = (long) i * sinks.length + h;
                    y.setRow(row, attend(q.row(row), keys, sinks[h], op.scale(), q.dtype()));
                }
            }
        }
    }

    /** The key list of row i of sequence s: window positions ascending, then compressed entries. */
    private static float[][] keys(SparseAttention op, HostOperand[] o, Sequences steps, int s, int i) {
        int p = steps.position(i);
        int[] slots = o[6].ints(0);
        List<float[]> keys = new ArrayList<>();
        for (int t = Math.max(0, p - op.window() + 1); t <= p; t++) {
            keys.add(steps.token(o[1], o[2], slots, s, t));
        }
        if (op.reach() == Reach.ALL) {
            for (int j = 0; j < (p + 1) / op.ratio(); j++) {
                keys.add(o[7].row(Sequences.entry(o[7], o[8].ints(s), j)));
            }
        }
        if (op.reach() == Reach.PICKED) {
            for (int j : o[9].ints(i)) {
                if (j >= 0) {
                    keys.add(o[7].row(Sequences.entry(o[7], o[8].ints(s), j)));
                }
            }
        }
        return keys.toArray(float[][]::new);
    }

    /**
     * One head: {@code z_j = (q . k_j) * scale}, {@code m = max z}, {@code e_j = exp(z_j - m)},
     * {@code y = sum_j e_j k_j / (sum_j e_j + exp(sink - m))}. In a BF16 flow e_j is rounded in the numerator only.
     */
    static float[] attend(float[] q, float[][] keys, float sink, float scale, DType flow) {
        float[] z = new float[keys.length];
        float m = Float.NEGATIVE_INFINITY;
        for (int j = 0; j < keys.length; j++) {
            z[j] = GemmReference.dot(q, keys[j]) * scale;
            m = Math.max(m, z[j]);
        }
        double denominator = Math.exp((double) sink - m);
        double[] numerator = new double[q.length];
        for (int j = 0; j < keys.length; j++) {
            float e = (float) Math.exp((double) z[j] - m);
            denominator += e;
            float weight = flow.round(e);
            for (int c = 0; c < q.length; c++) {
                numerator[c] += (double) weight * keys[j][c];
            }
        }
        float[] y = new float[q.length];
        for (int c = 0; c < q.length; c++) {
            y[c] = (float) (numerator[c] / denominator);
        }
        return y;
    }

    /** {@code ring[slots[s], p mod C, :] = rows[i, :]} for the last C rows of every sequence. */
    static void ringWrite(
            HostOperand ring, HostOperand rows, HostOperand positions, HostOperand starts, HostOperand slots) {
        Sequences steps = new Sequences(positions, starts);
        int[] slot = slots.ints(0);
        int capacity = ring.dim(1);
        for (int s = 0; s < steps.count(); s++) {
            int first = Math.max(steps.firstRow(s), steps.endRow(s) - capacity);
            for (int i = first; i < steps.endRow(s); i++) {
                ring.copyRow((long) slot[s] * capacity + steps.position(i) % capacity, rows, i);
            }
        }
    }
}

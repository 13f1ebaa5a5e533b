package dev.weft.reference;

import java.util.Arrays;
import java.util.Comparator;

/** Draws one token per row. */
final class SampleReference {
    private SampleReference() {}

    /** Operands: logits, temperature, topP, uniform; result: ids. */
    static void sample(HostOperand[] h) {
        float[] temperature = h[1].vector();
        float[] topP = h[2].vector();
        float[] uniform = h[3].vector();
        int[] ids = new int[temperature.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = sample(h[0].row(i), temperature[i], topP[i], uniform[i]);
        }
        h[4].setCodes(0, ids);
    }

    private static int sample(float[] logits, float temperature, float topP, float uniform) {
        int best = IndexReference.largest(logits, 1)[0];
        double max = logits[best];
        if (temperature == 0 || !Double.isFinite(max)) {
            return Double.isFinite(max) ? best : 0;
        }
        double[] p = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            p[i] = Float.isNaN(logits[i]) ? 0 : Math.exp((logits[i] - max) / temperature);
            sum += p[i];
        }
        Integer[] order = new Integer[p.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingDouble((Integer i) -> -p[i]).thenComparingInt(i -> i));
        int kept = 0;
        double mass = 0;
        while (kept < order.length && (kept == 0 || mass < topP * sum)) {
            mass += p[order[kept++]];
        }
        double at = 0;
        for (int i = 0; i < kept; i++) {
            at += p[order[i]];
            if (at > uniform * mass) {
                return order[i];
            }
        }
        return order[kept - 1];
    }
}

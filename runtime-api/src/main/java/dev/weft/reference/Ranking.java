package dev.weft.reference;

import java.util.Arrays;

/** The order that every choice of the model uses: higher value first, equal values by lower index, NaN last. */
final class Ranking {
    private Ranking() {}

    /** Indices of the {@code k} best of the first {@code n} values, best first. */
    static int[] best(float[] values, int n, int k) {
        Integer[] order = new Integer[n];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (i, j) -> compare(values, i, j));
        int[] best = new int[k];
        Arrays.setAll(best, i -> order[i]);
        return best;
    }

    private static int compare(float[] values, int i, int j) {
        float a = values[i];
        float b = values[j];
        if (Float.isNaN(a) || Float.isNaN(b)) {
            return Float.isNaN(a) == Float.isNaN(b) ? Integer.compare(i, j) : Float.isNaN(a) ? 1 : -1;
        }
        // not Float.compare: it tells the two zeros apart
        return a > b ? -1 : a < b ? 1 : Integer.compare(i, j);
    }
}

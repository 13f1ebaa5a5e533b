package dev.weft.bench;

import java.util.Arrays;

/** Order statistics of a handful of measurements. */
final class Quantile {
    private Quantile() {}

    /** The value below which the fraction {@code q} of {@code values} lies, between neighbours by their distance. */
    static double of(double q, double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        double place = q * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }

    static double p10(double... values) {
        return of(0.1, values);
    }

    static double median(double... values) {
        return of(0.5, values);
    }
}

package dev.weft.bench;

import java.util.Arrays;

/** Moments of a handful of measurements. */
final class Sample {
    private Sample() {}

    static double mean(double... values) {
        return Arrays.stream(values).sum() / values.length;
    }

    /** With the divisor {@code n - 1}; 0 of one value, which says nothing about spread. */
    static double variance(double... values) {
        double mean = mean(values);
        return Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum() / Math.max(1, values.length - 1);
    }

    static double deviation(double... values) {
        return Math.sqrt(variance(values));
    }
}

package dev.weft.cli;

import java.util.ArrayList;
import java.util.List;

/**
 * A logarithmic axis.
 *
 * @param low smallest value
 * @param high largest value
 * @param from place of the smallest value
 * @param to place of the largest value
 */
record LogAxis(double low, double high, double from, double to) {
    private static final double[] STEPS = {1, 2, 5};
    private static final int MOST_TICKS = 8;

    /** An axis that begins and ends at a 1, 2 or 5 and holds all values. */
    static LogAxis around(double least, double most, double from, double to) {
        double decade = Math.pow(10, Math.floor(Math.log10(least)));
        double low = decade;
        for (double step : STEPS) {
            low = decade * step <= least ? decade * step : low;
        }
        double high = low;
        for (int i = 0; high < most; i++) {
            double power = Math.pow(10, Math.floor(Math.log10(low)) + (double) (i / STEPS.length));
            high = Math.max(high, power * STEPS[i % STEPS.length]);
        }
        return new LogAxis(low, high, from, to);
    }

    /** Where a value lies. */
    double at(double value) {
        return from + (to - from) * Math.log(value / low) / Math.log(high / low);
    }

    /** Values at 1, 2 and 5 of every decade, or only at 1 where those would be too many. */
    List<Double> ticks() {
        List<Double> all = ticks(STEPS);
        return all.size() <= MOST_TICKS ? all : ticks(1);
    }

    private List<Double> ticks(double... steps) {
        List<Double> all = new ArrayList<>();
        for (double decade = Math.pow(10, Math.floor(Math.log10(low))); decade <= high * (1 + 1e-9); decade *= 10) {
            for (double step : steps) {
                if (decade * step >= low * (1 - 1e-9) && decade * step <= high * (1 + 1e-9)) {
                    all.add(decade * step);
                }
            }
        }
        return all;
    }
}

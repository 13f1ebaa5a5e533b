package dev.weft.benchmarks;

import java.util.Arrays;

/** Measurements of one thing over rounds, or quotients of two things round by round. */
public record Timings(double[] rounds) {
    /** The value that {@code share} of the rounds do not exceed. */
    public double quantile(double share) {
        double[] sorted = rounds.clone();
        Arrays.sort(sorted);
        return sorted[(int) Math.round(share * (sorted.length - 1))];
    }

    /** Tenth percentile: of times, what the undisturbed machine needs. */
    public double p10() {
        return quantile(0.1);
    }

    /** Median. */
    public double median() {
        return quantile(0.5);
    }

    /** Round by round, this divided by {@code other}. */
    public Timings over(Timings other) {
        double[] quotients = new double[rounds.length];
        Arrays.setAll(quotients, i -> rounds[i] / other.rounds[i]);
        return new Timings(quotients);
    }
}

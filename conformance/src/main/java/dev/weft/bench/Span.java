package dev.weft.bench;

import java.util.Map;
import java.util.function.IntToDoubleFunction;

/**
 * The rows of a step: the same number of each of one or more sequences that are equally long.
 *
 * @param sequences how many sequences
 * @param position tokens of each before the step
 * @param tokens tokens of each in the step
 * @param experts different experts that the rows are sent to, per layer
 * @param extents of the graph's named dimensions
 */
record Span(int sequences, int position, int tokens, double experts, Map<String, Long> extents) {
    /** Experts that rows hit on average if each chooses {@code k} of {@code all} by chance. */
    static double expectedExperts(int all, int k, int rows) {
        return all * (1 - Math.pow(1 - (double) k / all, rows));
    }

    /** Compressed entries that the last row of a sequence sees. */
    long entries(int ratio) {
        return (position + tokens) / ratio;
    }

    /** Sum over the rows of a sequence of a count that depends on the row's position. */
    double sum(IntToDoubleFunction count) {
        double sum = 0;
        for (int p = position; p < position + tokens; p++) {
            sum += count.applyAsDouble(p);
        }
        return sum;
    }
}

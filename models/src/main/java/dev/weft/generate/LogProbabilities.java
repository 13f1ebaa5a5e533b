package dev.weft.generate;

import dev.weft.generate.GeneratedToken.Alternative;
import java.util.ArrayList;
import java.util.List;

/** Log probabilities of one row of logits. */
final class LogProbabilities {
    private LogProbabilities() {}

    /** The token as it is reported. @param most how many alternatives, -1 for no log probabilities at all */
    static GeneratedToken of(int id, float[] logits, int at, int count, int most) {
        if (most < 0) {
            return new GeneratedToken(id, Float.NaN, List.of());
        }
        double norm = logSum(logits, at, count);
        List<Alternative> best = new ArrayList<>();
        for (int i = 0; i < count && most > 0; i++) {
            float v = logits[at + i];
            if (!Float.isNaN(v)
                    && (best.size() < most || v > logits[at + best.getLast().id()])) {
                insert(best, new Alternative(i, (float) (v - norm)), most);
            }
        }
        return new GeneratedToken(id, (float) (logits[at + id] - norm), best);
    }

    /** Keeps the list ordered; equal probabilities by id, which come in ascending order. */
    private static void insert(List<Alternative> best, Alternative next, int most) {
        int i = best.size();
        while (i > 0 && best.get(i - 1).logprob() < next.logprob()) {
            i--;
        }
        best.add(i, next);
        if (best.size() > most) {
            best.removeLast();
        }
    }

    private static double logSum(float[] logits, int at, int count) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            if (!Float.isNaN(logits[at + i])) {
                max = Math.max(max, logits[at + i]);
            }
        }
        double sum = 0;
        for (int i = 0; i < count; i++) {
            if (!Float.isNaN(logits[at + i])) {
                sum += Math.exp(logits[at + i] - max);
            }
        }
        return max + Math.log(sum);
    }
}

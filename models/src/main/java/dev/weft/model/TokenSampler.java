package dev.weft.model;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Draws tokens on the host by the rule of the {@link dev.weft.op.Sample} operator: temperature, then the smallest set of
 * most likely tokens whose probabilities reach top-p. Deterministic for a seed; used by one thread.
 */
public final class TokenSampler {
    private final Sampling sampling;
    private final SplittableRandom random;

    public TokenSampler(Sampling sampling) {
        this.sampling = sampling;
        this.random = new SplittableRandom(sampling.seed());
    }

    /** The next token for the logits of one row. */
    public int next(float[] logits) {
        if (sampling.temperature() == 0) {
            return argmax(logits);
        }
        double max = logits[argmax(logits)];
        if (!Double.isFinite(max)) {
            return 0;
        }
        double[] p = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            p[i] = Float.isNaN(logits[i]) ? 0 : Math.exp((logits[i] - max) / sampling.temperature());
            sum += p[i];
        }
        return draw(p, sum, random.nextDouble());
    }

    /**
     * The next token among those allowed.
     *
     * @param logits of one row; those of other tokens become minus infinity
     * @param allowed not empty
     */
    public int next(float[] logits, TokenMask allowed) {
        allowed.apply(logits);
        int token = next(logits);
        return allowed.isAllowed(token) ? token : allowed.first(); // none of them has a finite logit
    }

    private int draw(double[] p, double sum, double uniform) {
        Integer[] order = IntStream.range(0, p.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingDouble((Integer i) -> -p[i]).thenComparingInt(i -> i));
        int kept = 0;
        double mass = 0;
        while (kept < order.length && (kept == 0 || mass < sampling.topP() * sum)) {
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

    /** Index of the largest logit; equal values give the lower index, NaN is never chosen unless all are. */
    public static int argmax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best] || (Float.isNaN(logits[best]) && !Float.isNaN(logits[i]))) {
                best = i;
            }
        }
        return best;
    }
}

package dev.weft.model;

/**
 * The probabilities from which a token is drawn: softmax of logits over a temperature, cut to the most likely tokens. Tokens
 * are ordered by probability, equal ones by id, as in {@link dev.weft.op.Sample}. Reused from token to token.
 */
final class TokenDistribution {
    /** Relative to the most likely token; 0 for a NaN logit. */
    private double[] weights = new double[0];

    /** A heap of ids in the first {@code heaped} places; ids taken from it behind, the most likely one last. */
    private int[] ids = new int[0];

    private int heaped;
    private int kept;
    /** Sum of the weights of the kept tokens. */
    private double mass;

    /** Takes over logits of one row. */
    void set(float[] logits, int at, int count, Sampling sampling) {
        set(logits, at, count, sampling.temperature(), sampling.topP(), sampling.topK(), sampling.minP());
    }

    /** The same with the four settings by themselves. */
    void set(float[] logits, int at, int count, float temperature, float topP, int topK, float minP) {
        if (weights.length != count) {
            weights = new double[count];
            ids = new int[count];
        }
        int best = TokenSampler.argmax(logits, at, count);
        float max = logits[at + best];
        if (temperature == 0 || !hasFinite(max, logits, at, count)) {
            only(mostLikely(logits, at, count));
            return;
        }
        double sum = 0;
        for (int i = 0; i < count; i++) {
            float z = logits[at + i];
            weights[i] = Float.isNaN(z) ? 0 : z == max ? 1 : Math.exp(((double) z - max) / temperature);
            sum += weights[i];
        }
        heapify();
        cut(topP, topK, minP, sum);
    }

    /** The first of the largest logits; 0 where none is finite. */
    static int mostLikely(float[] logits, int at, int count) {
        int best = TokenSampler.argmax(logits, at, count);
        return hasFinite(logits[at + best], logits, at, count) ? best : 0;
    }

    private static boolean hasFinite(float max, float[] logits, int at, int count) {
        if (Float.isFinite(max)) {
            return true;
        }
        for (int i = at; i < at + count; i++) {
            if (Float.isFinite(logits[i])) {
                return true;
            }
        }
        return false;
    }

    private void only(int id) {
        java.util.Arrays.fill(weights, 0);
        weights[id] = 1;
        heaped = 0;
        ids[ids.length - 1] = id;
        kept = 1;
        mass = 1;
    }

    private void cut(float topP, int topK, float minP, double sum) {
        kept = weights.length;
        mass = sum;
        if (topK == 0 && topP == 1 && minP == 0) {
            return;
        }
        int most = topK == 0 ? weights.length : Math.min(topK, weights.length);
        kept = 0;
        mass = 0;
        while (kept < most && (kept == 0 || (mass < topP * sum && weights[id(kept)] >= minP))) {
            mass += weights[id(kept++)];
        }
    }

    /** Probability of a token. */
    double probability(int id) {
        double w = weights[id];
        if (kept < weights.length) {
            int last = id(kept - 1);
            if (w < weights[last] || (w == weights[last] && id > last)) {
                return 0;
            }
        }
        return w / mass;
    }

    /** The token at a point of the cumulated probabilities. @param uniform in [0, 1) */
    int draw(double uniform) {
        double target = uniform * mass;
        double at = 0;
        for (int i = 0; i < kept; i++) {
            at += weights[id(i)];
            if (at > target) {
                return id(i);
            }
        }
        // the product may round up to the sum, and a sum in another order may come out smaller
        return id(0);
    }

    /**
     * The token at a point of the cumulated probabilities that this distribution has more of than {@code other}, what is
     * left to draw from when a token of {@code other} was refused.
     *
     * @param other over the same vocabulary
     * @param uniform in [0, 1)
     */
    int drawExcess(TokenDistribution other, double uniform) {
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += Math.max(0, probability(i) - other.probability(i));
        }
        double at = 0;
        int last = id(0);
        for (int i = 0; i < weights.length; i++) {
            double excess = Math.max(0, probability(i) - other.probability(i));
            at += excess;
            if (excess > 0) {
                last = i;
                if (at > uniform * sum) {
                    return i;
                }
            }
        }
        return last;
    }

    /** The id at a rank, 0 for the most likely one. */
    private int id(int rank) {
        while (ids.length - heaped <= rank) {
            int top = ids[0];
            ids[0] = ids[--heaped];
            ids[heaped] = top;
            sink(0);
        }
        return ids[ids.length - 1 - rank];
    }

    private void heapify() {
        heaped = ids.length;
        for (int i = 0; i < heaped; i++) {
            ids[i] = i;
        }
        for (int i = heaped / 2 - 1; i >= 0; i--) {
            sink(i);
        }
    }

    private void sink(int start) {
        int at = start;
        while (2 * at + 1 < heaped) {
            int child = 2 * at + 1;
            if (child + 1 < heaped && isBefore(ids[child + 1], ids[child])) {
                child++;
            }
            if (!isBefore(ids[child], ids[at])) {
                return;
            }
            int swapped = ids[at];
            ids[at] = ids[child];
            ids[child] = swapped;
            at = child;
        }
    }

    private boolean isBefore(int a, int b) {
        return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
    }
}

package dev.weft.model;

import java.util.SplittableRandom;

/**
 * Draws tokens on the host by the rule of the {@link dev.weft.op.Sample} operator and the further settings of
 * {@link Sampling}. Deterministic for a seed; one sampler per sequence, used by one thread.
 */
public final class TokenSampler {
    private final Sampling sampling;
    private final SplittableRandom random;
    private final TokenCounts prompt = new TokenCounts();
    private final TokenCounts answer = new TokenCounts();
    private final TokenDistribution distribution = new TokenDistribution();
    private final TokenDistribution proposals = new TokenDistribution();
    private int proposed;

    /** Logits after penalties and bias, where there are any. */
    private float[] adjusted = new float[0];

    public TokenSampler(Sampling sampling) {
        this.sampling = sampling;
        this.random = new SplittableRandom(sampling.seed());
    }

    /** Tells the tokens that {@link Sampling#repetitionPenalty} holds against the answer. */
    public void prompt(int... ids) {
        if (sampling.repetitionPenalty() != 1) {
            for (int id : ids) {
                prompt.add(id, 1);
            }
        }
    }

    /** The next token for the logits of one row, which then counts as part of the answer. */
    public int next(float[] logits) {
        return next(logits, 0, logits.length);
    }

    /** The same for logits {@code at} to {@code at + count}. */
    public int next(float[] logits, int at, int count) {
        int token = choose(logits, at, count);
        accept(token);
        return token;
    }

    /**
     * The next token among those allowed.
     *
     * @param logits of one row; those of other tokens become minus infinity
     * @param allowed not empty
     */
    public int next(float[] logits, TokenMask allowed) {
        allowed.apply(logits);
        int chosen = choose(logits, 0, logits.length);
        int token = allowed.isAllowed(chosen) ? chosen : allowed.first(); // none of them has a finite logit
        accept(token);
        return token;
    }

    private int choose(float[] logits, int at, int count) {
        if (sampling.temperature() == 0 && sampling.leavesLogits()) {
            return argmax(logits, at, count);
        }
        distribute(logits, at, count, distribution);
        return draw(distribution);
    }

    /**
     * A guess at the next token from the logits of a cheaper model. It is part of the answer once {@link #verify} returns
     * it.
     */
    public int propose(float[] logits, int at, int count) {
        distribute(logits, at, count, proposals);
        proposed = draw(proposals);
        return proposed;
    }

    /**
     * The next token for the logits of one row: the proposal with probability min(1, p/q), else one drawn from what p has
     * more than q, so that the token has the distribution p of these logits whatever was proposed (Leviathan et al. 2023).
     * A refused proposal is never returned.
     */
    public int verify(float[] logits, int at, int count) {
        distribute(logits, at, count, distribution);
        boolean kept = random.nextDouble() * proposals.probability(proposed) < distribution.probability(proposed);
        int token = kept ? proposed : distribution.drawExcess(proposals, random.nextDouble());
        accept(token);
        return token;
    }

    private void distribute(float[] logits, int at, int count, TokenDistribution target) {
        if (sampling.leavesLogits()) {
            target.set(logits, at, count, sampling);
        } else {
            if (adjusted.length != count) {
                adjusted = new float[count];
            }
            System.arraycopy(logits, at, adjusted, 0, count);
            adjust(adjusted);
            target.set(adjusted, 0, count, sampling);
        }
    }

    private void adjust(float[] logits) {
        float repetition = sampling.repetitionPenalty();
        if (repetition != 1) {
            prompt.forEach((id, n) -> logits[id] = repeated(logits[id], repetition));
        }
        answer.forEach((id, n) -> {
            // a token that the prompt has as well has had this penalty
            float v = repetition == 1 || prompt.contains(id) ? logits[id] : repeated(logits[id], repetition);
            logits[id] = v - sampling.presencePenalty() - n * sampling.frequencyPenalty();
        });
        sampling.bias().forEach((id, b) -> {
            if (id < logits.length) {
                logits[id] += b;
            }
        });
    }

    private static float repeated(float logit, float penalty) {
        return logit > 0 ? logit / penalty : logit * penalty;
    }

    private int draw(TokenDistribution from) {
        return sampling.temperature() == 0 ? from.draw(0) : from.draw(random.nextDouble());
    }

    private void accept(int token) {
        if (!sampling.leavesLogits()) {
            answer.add(token, 1);
        }
    }

    /** Index of the largest logit; equal values give the lower index, NaN is never chosen unless all are. */
    public static int argmax(float[] logits) {
        return argmax(logits, 0, logits.length);
    }

    /** The same for logits {@code at} to {@code at + count}; the index counts from {@code at}. */
    static int argmax(float[] logits, int at, int count) {
        int best = 0;
        for (int i = 1; i < count; i++) {
            float v = logits[at + i];
            float b = logits[at + best];
            if (v > b || (Float.isNaN(b) && !Float.isNaN(v))) {
                best = i;
            }
        }
        return best;
    }
}

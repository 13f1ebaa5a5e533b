package dev.weft.model;

import dev.weft.RequestException;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

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

    /** The random number of the next token, NaN until it is needed. */
    private float uniform = Float.NaN;

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

    /** Whether the rule of {@link dev.weft.op.Sample} alone decides, so that a step can draw: {@link #ask}. */
    public boolean isPlain() {
        return sampling.leavesLogits() && sampling.topK() == 0 && sampling.minP() == 0;
    }

    /**
     * Asks a step for the next token, as {@link #next} would choose it. Asked again, as after a step that failed, it is the same
     * draw, until {@link #accept} is told a token. Only for a sampler that {@link #isPlain}.
     */
    public void ask(Draws draws) {
        if (!isPlain()) {
            throw new RequestException(
                    "sampler: found settings beside temperature and topP, expected none where a step draws: " + sampling
                            + "; skip the row and choose from its logits");
        }
        draws.add(sampling.temperature(), sampling.topP(), sampling.temperature() == 0 ? 0 : uniform());
    }

    /** Takes the token that a step drew. */
    public void accept(int token) {
        accept(token, null);
    }

    private float uniform() {
        if (Float.isNaN(uniform)) {
            uniform = fresh();
        }
        return uniform;
    }

    /** As devices take it: a multiple of 2^-24. */
    private float fresh() {
        return (random.nextLong() >>> 40) * 0x1p-24f;
    }

    /** The next token for the logits of one row, which then counts as part of the answer. */
    public int next(float[] logits) {
        return next(logits, 0, logits.length);
    }

    /** The same for logits {@code at} to {@code at + count}. */
    public int next(float[] logits, int at, int count) {
        return next(logits, at, count, null);
    }

    /** The same among the tokens allowed, at least one; null for all. */
    public int next(float[] logits, int at, int count, @Nullable TokenMask allowed) {
        int token;
        if (sampling.temperature() == 0 && sampling.leavesLogits() && allowed == null) {
            token = TokenDistribution.mostLikely(logits, at, count);
        } else {
            distribute(logits, at, count, allowed, distribution);
            token = distribution.draw(sampling.temperature() == 0 ? 0 : uniform());
        }
        return accept(token, allowed);
    }

    /**
     * A guess at the next token from the logits of a cheaper model. It is part of the answer once {@link #verify} returns
     * it.
     *
     * @param allowed tokens to choose from, null for all
     */
    public int propose(float[] logits, int at, int count, @Nullable TokenMask allowed) {
        distribute(logits, at, count, allowed, proposals);
        proposed = proposals.draw(sampling.temperature() == 0 ? 0 : fresh());
        return proposed;
    }

    /**
     * The next token for the logits of one row: the proposal with probability min(1, p/q), else one drawn from what p has
     * more than q, so that the token has the distribution p of these logits whatever was proposed (Leviathan et al. 2023).
     * A refused proposal is never returned.
     *
     * @param allowed tokens to choose from, null for all
     */
    public int verify(float[] logits, int at, int count, @Nullable TokenMask allowed) {
        distribute(logits, at, count, allowed, distribution);
        boolean kept = random.nextDouble() * proposals.probability(proposed) < distribution.probability(proposed);
        return accept(kept ? proposed : distribution.drawExcess(proposals, random.nextDouble()), allowed);
    }

    private void distribute(float[] logits, int at, int count, @Nullable TokenMask allowed, TokenDistribution target) {
        if (sampling.leavesLogits() && allowed == null) {
            target.set(logits, at, count, sampling);
        } else {
            if (adjusted.length != count) {
                adjusted = new float[count];
            }
            System.arraycopy(logits, at, adjusted, 0, count);
            adjust(adjusted);
            if (allowed != null) {
                allowed.apply(adjusted);
            }
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

    /** Makes a token part of the answer; where no allowed token has a finite logit, the first of them. */
    private int accept(int drawn, @Nullable TokenMask allowed) {
        int token = allowed == null || allowed.isAllowed(drawn) ? drawn : allowed.first();
        uniform = Float.NaN;
        if (!sampling.leavesLogits()) {
            answer.add(token, 1);
        }
        return token;
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

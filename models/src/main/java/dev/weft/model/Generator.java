package dev.weft.model;

import dev.weft.CancelledException;
import dev.weft.RequestException;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/** Continues one session token by token. Used by one thread. */
public final class Generator {
    private final Session session;

    public Generator(Session session) {
        this.session = session;
    }

    /** Appends the prompt and generates; tokens are returned when done. */
    public int[] generate(int[] prompt, Sampling sampling) {
        return generate(prompt, sampling, token -> {}, () -> false);
    }

    /**
     * Appends the prompt and generates.
     *
     * @param onToken receives every token as soon as it is chosen
     * @param cancelled asked before every step; must not wait
     * @return the generated tokens, the stopping one included
     * @throws CancelledException if {@code cancelled} said so; the session keeps what it has
     * @throws dev.weft.RequestException if prompt and tokens do not fit the context
     */
    public int[] generate(int[] prompt, Sampling sampling, IntConsumer onToken, BooleanSupplier cancelled) {
        return run(prompt, sampling, null, onToken, cancelled);
    }

    /**
     * Appends the prompt and generates a text of the form that the constraint demands. It is complete when this returns,
     * unless one of the sampling's stop ids came before: what is allowed becomes narrower as the tokens run out.
     *
     * @param constraint in its beginning; finished afterwards. For the vocabulary of the model
     * @param onToken receives every token as soon as it is chosen
     * @param cancelled asked before every step
     * @return the generated tokens, the stopping one included
     * @throws CancelledException if {@code cancelled} said so; the session keeps what it has
     * @throws RequestException if prompt and tokens do not fit the context, or the constraint needs more tokens than the
     *     sampling allows
     */
    public int[] generate(
            int[] prompt,
            Sampling sampling,
            TokenConstraint constraint,
            IntConsumer onToken,
            BooleanSupplier cancelled) {
        if (sampling.maxTokens() < constraint.shortest()) {
            throw new RequestException("generation: found maxTokens " + sampling.maxTokens() + ", expected at least "
                    + constraint.shortest() + ", with which the constraint can be met");
        }
        return run(prompt, sampling, constraint, onToken, cancelled);
    }

    private int[] run(
            int[] prompt,
            Sampling sampling,
            @Nullable TokenConstraint constraint,
            IntConsumer onToken,
            BooleanSupplier cancelled) {
        TokenSampler sampler = new TokenSampler(sampling);
        sampler.prompt(prompt);
        int[] stop = sampling.stop().stream().mapToInt(i -> i).toArray();
        int[] out = new int[Math.min(sampling.maxTokens(), 1024)];
        int n = 0;
        checkCancelled(cancelled, n);
        float[] logits = session.append(prompt, cancelled);
        TokenMask mask = new TokenMask(logits.length);
        boolean isDrawn = constraint == null && sampler.isPlain();
        Draws draws = new Draws();
        while (n < sampling.maxTokens()) {
            int token;
            if (isDrawn && n > 0) {
                token = draws.token(0);
                sampler.accept(token);
            } else if (constraint == null) {
                token = sampler.next(logits);
            } else {
                constraint.allowed(mask, sampling.maxTokens() - n);
                token = sampler.next(logits, 0, logits.length, mask);
                constraint.accept(token);
            }
            if (n == out.length) {
                out = Arrays.copyOf(out, Math.min(sampling.maxTokens(), 2 * n));
            }
            out[n++] = token;
            onToken.accept(token);
            boolean finished = constraint != null && constraint.isFinished();
            if (finished || contains(stop, token) || n == sampling.maxTokens()) {
                break;
            }
            checkCancelled(cancelled, n);
            if (isDrawn) {
                draws.clear();
                sampler.ask(draws);
                session.append(token, draws);
            } else {
                session.append(token, logits);
            }
        }
        return Arrays.copyOf(out, n);
    }

    private static boolean contains(int[] ids, int id) {
        for (int i : ids) {
            if (i == id) {
                return true;
            }
        }
        return false;
    }

    private static void checkCancelled(BooleanSupplier cancelled, int done) {
        if (cancelled.getAsBoolean()) {
            throw new CancelledException("generation: cancelled after " + done + " tokens");
        }
    }
}

package dev.weft.model;

import dev.weft.CancelledException;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;

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
        TokenSampler sampler = new TokenSampler(sampling);
        sampler.prompt(prompt);
        int[] stop = sampling.stop().stream().mapToInt(i -> i).toArray();
        int[] out = new int[Math.min(sampling.maxTokens(), 1024)];
        int n = 0;
        checkCancelled(cancelled, n);
        float[] logits = session.append(prompt, cancelled);
        while (n < sampling.maxTokens()) {
            int token = sampler.next(logits);
            if (n == out.length) {
                out = Arrays.copyOf(out, Math.min(sampling.maxTokens(), 2 * n));
            }
            out[n++] = token;
            onToken.accept(token);
            if (contains(stop, token) || n == sampling.maxTokens()) {
                break;
            }
            checkCancelled(cancelled, n);
            session.append(token, logits);
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

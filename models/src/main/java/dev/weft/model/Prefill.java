package dev.weft.model;

import java.util.Arrays;
import java.util.function.BooleanSupplier;

/**
 * A prompt on its way into a session of a {@link PrefixCache}. Either {@link #run} appends all that is missing, or a
 * scheduler asks for the {@link #next} tokens, feeds them in a step of its own together with other sequences, and says so
 * by {@link #stepped}. Used by one thread at a time.
 */
public final class Prefill {
    private final PrefixCache cache;
    private final Session session;
    private final int[] prompt;
    private final int hit;
    /** Where the prompt left a remembered one, 0 if that is not worth a stop. */
    private final int branch;

    Prefill(PrefixCache cache, Session session, int[] prompt, int branch) {
        this.cache = cache;
        this.session = session;
        this.prompt = prompt.clone();
        this.hit = session.position();
        this.branch = branch;
    }

    /** The session; its position says how much of the prompt is in it. Closed by the caller. */
    public Session session() {
        return session;
    }

    /** Tokens that were remembered and need not be computed. */
    public int hit() {
        return hit;
    }

    /** Whether the whole prompt is in the session. */
    public boolean isDone() {
        return session.position() >= prompt.length;
    }

    /**
     * The next tokens to feed: at most {@code budget}, fewer where the cache wants to remember a position, none when the
     * prompt is in the session.
     *
     * @param budget most tokens, 1 or more
     */
    public int[] next(int budget) {
        int from = session.position();
        return Arrays.copyOfRange(prompt, from, Math.max(from, Math.min(stop(from), from + budget)));
    }

    /** The first position behind {@code from} that is to be remembered. */
    private int stop(int from) {
        int stop = (int) Math.min(prompt.length, (from / cache.stride() + 1L) * cache.stride());
        return from < branch && branch < stop ? branch : stop;
    }

    /** Remembers the session if a step has brought it to a position that is to be remembered. */
    public void stepped() {
        int at = session.position();
        if (at == branch || at == prompt.length || at % cache.stride() == 0) {
            cache.remember(session);
        }
    }

    /**
     * Appends what is missing and returns the logits of the prompt's last token.
     *
     * @param cancelled asked before every step; must not wait
     * @throws dev.weft.CancelledException if {@code cancelled} said so; the session keeps what it has
     * @throws dev.weft.RequestException if the prompt is already in the session, does not fit the context, or holds an id
     *     outside the vocabulary
     */
    public float[] run(BooleanSupplier cancelled) {
        while (stop(session.position()) < prompt.length) {
            session.model().append(session, next(prompt.length), Feed.Want.NONE, cancelled);
            stepped();
        }
        float[] logits = session.append(next(prompt.length), cancelled);
        stepped();
        return logits;
    }
}

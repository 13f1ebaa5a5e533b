package dev.weft.generate;

import dev.weft.CancelledException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * A generation on its way. Thread-safe. Tokens are taken either from {@link #iterator}, which blocks until the next one is
 * there and makes the engine pause this sequence, which keeps its place, when nobody takes them, or by the request's receiver, or all at once by
 * {@link #await}.
 */
public final class Generation implements Iterable<GeneratedToken>, AutoCloseable {
    private final Engine engine;
    private final GenerationRequest request;
    private final int capacity;

    // guarded by this
    private final Deque<GeneratedToken> waiting = new ArrayDeque<>();
    private final List<GeneratedToken> all = new ArrayList<>();
    private boolean unbounded;
    private boolean cancelled;
    private @Nullable FinishReason reason;
    private @Nullable RuntimeException failure;
    private int cached;
    private int drafted;
    private int accepted;

    Generation(Engine engine, GenerationRequest request, int capacity) {
        this.engine = engine;
        this.request = request;
        this.capacity = capacity;
        this.unbounded = request.onToken() != null;
    }

    /** What was asked for. */
    public GenerationRequest request() {
        return request;
    }

    /**
     * The tokens in order, each once over all iterators. {@code hasNext} blocks until there is one or the generation has
     * ended, and throws what ended it if that was an error; after cancellation there are no more.
     */
    @Override
    public Iterator<GeneratedToken> iterator() {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return awaitNext();
            }

            @Override
            public GeneratedToken next() {
                if (!awaitNext()) {
                    throw new NoSuchElementException("the generation has ended: " + reason());
                }
                return take();
            }
        };
    }

    private synchronized boolean awaitNext() {
        while (waiting.isEmpty() && reason == null) {
            pause();
        }
        if (waiting.isEmpty() && failure != null) {
            throw failure;
        }
        return !waiting.isEmpty();
    }

    private GeneratedToken take() {
        GeneratedToken token;
        synchronized (this) {
            token = waiting.removeFirst();
        }
        engine.wake();
        return token;
    }

    private void pause() {
        try {
            wait();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("generation: interrupted while waiting for a token", e);
        }
    }

    /**
     * Waits for the end and returns all tokens, also those taken before.
     *
     * @throws RuntimeException what ended it, if that was an error
     */
    public List<GeneratedToken> await() {
        synchronized (this) {
            unbounded = true;
        }
        engine.wake();
        synchronized (this) {
            while (reason == null) {
                pause();
            }
            if (failure != null) {
                throw failure;
            }
            return List.copyOf(all);
        }
    }

    /** Ends the generation before the engine's next step. Without effect once it has ended. */
    public void cancel() {
        synchronized (this) {
            cancelled = true;
        }
        engine.wake();
    }

    /** Why it ended, null while it runs. */
    public synchronized @Nullable FinishReason reason() {
        return reason;
    }

    /** Tokens of the prompt that a prefix cache held. */
    public synchronized int cached() {
        return cached;
    }

    /** Tokens that the MTP block proposed. */
    public synchronized int drafted() {
        return drafted;
    }

    /** Proposed tokens that became part of the answer. */
    public synchronized int accepted() {
        return accepted;
    }

    /** The same as {@link #cancel}. */
    @Override
    public void close() {
        cancel();
    }

    // what follows is called by the engine's thread

    synchronized void startsAt(int position) {
        cached = position;
    }

    synchronized boolean isCancelled() {
        return cancelled;
    }

    /** Whether two more tokens have room, the most that one step brings. */
    synchronized boolean hasRoom() {
        return unbounded || waiting.size() + 2 <= capacity;
    }

    /** What its sequence brings. */
    Continuation.Progress progress() {
        return new Continuation.Progress() {
            @Override
            public void token(GeneratedToken token) {
                deliver(token);
            }

            @Override
            public void draft(boolean kept) {
                countDraft(kept);
            }
        };
    }

    private void deliver(GeneratedToken token) {
        synchronized (this) {
            all.add(token);
            if (request.onToken() == null) {
                waiting.add(token);
            }
            notifyAll();
        }
        if (request.onToken() != null) {
            request.onToken().accept(token);
        }
    }

    private synchronized void countDraft(boolean kept) {
        drafted++;
        accepted += kept ? 1 : 0;
    }

    synchronized void finish(FinishReason why) {
        reason = why;
        notifyAll();
    }

    synchronized void fail(RuntimeException cause) {
        failure = cause;
        finish(FinishReason.FAILED);
    }
}

package dev.weft.generate;

import dev.weft.ClosedException;
import dev.weft.RequestException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.PrefixCache;
import dev.weft.model.TokenConstraint;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Generates for many requests at once: every step appends to all sequences that are under way, and sequences join and leave
 * between any two steps (continuous batching). What a request gets does not depend on the others: by the contract of the
 * operators a row has the same bits in any batch.
 *
 * <p>One thread runs the steps. Up to {@link LoadOptions#maxSequences} requests are under way, further ones wait in the
 * order of their arrival. Thread-safe. While it is open, nobody else should take sessions of the model. Close cancels
 * everything and leaves the model open.
 */
public final class Engine implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

    private final DeepSeekV4 model;
    private final EngineOptions options;
    private final Batch batch;
    private final Thread thread;

    // guarded by this
    private final Deque<Generation> queue = new ArrayDeque<>();
    private boolean changed;
    private boolean closed;

    /** An engine without a prefix cache. */
    public Engine(DeepSeekV4 model, EngineOptions options) {
        this(model, options, null);
    }

    /** @param cache where prompts and answers are remembered, so that later prompts start from them; null for none */
    public Engine(DeepSeekV4 model, EngineOptions options, @Nullable PrefixCache cache) {
        this.model = model;
        this.options = options;
        this.batch = new Batch(model, options.promptTokens(), cache);
        this.thread = Thread.ofPlatform().daemon().name("weft-engine").start(this::work);
    }

    /**
     * Starts a generation, at once or as soon as a sequence is free.
     *
     * @throws RequestException if the prompt does not fit the context, names tokens outside the vocabulary, speculation is
     *     asked of a model without MTP, or too many requests wait
     */
    public Generation submit(GenerationRequest request) {
        validate(request);
        Generation generation = new Generation(this, request, options.buffered());
        synchronized (this) {
            if (closed) {
                throw new ClosedException("engine: used after close");
            }
            if (queue.size() >= options.waiting() + batch.free()) {
                throw new RequestException("engine: " + queue.size() + " requests are waiting, expected at most "
                        + options.waiting() + "; submit again later");
            }
            queue.add(generation);
        }
        wake();
        return generation;
    }

    private void validate(GenerationRequest request) {
        int context = model.options().maxContext();
        if (request.prompt().length > context) {
            throw new RequestException("request: found a prompt of " + request.prompt().length
                    + " tokens, expected at most the context of " + context + "; load with a larger maxContext");
        }
        int vocabulary = model.config().vocabSize();
        for (int id : request.prompt()) {
            requireToken("prompt token", id, vocabulary);
        }
        request.sampling().bias().keySet().forEach(id -> requireToken("biased token", id, vocabulary));
        TokenConstraint constraint = request.constraint();
        int maxTokens = request.sampling().maxTokens();
        int room = context - request.prompt().length + 1;
        if (constraint != null && constraint.shortest() > Math.min(maxTokens, room)) {
            throw new RequestException("request: found maxTokens " + maxTokens + " and a context with room for " + room
                    + ", expected at least " + constraint.shortest() + ", with which the constraint can be met");
        }
        LoadOptions loaded = model.options();
        if (request.speculative() && (!loaded.mtp() || loaded.rollback() < 1 || loaded.maxTokens() < 2)) {
            throw new RequestException(
                    "request: speculation needs a model loaded with its MTP block, a rollback of 1 or"
                            + " more and steps of 2 tokens or more, found mtp " + loaded.mtp() + ", rollback "
                            + loaded.rollback() + ", maxTokens " + loaded.maxTokens() + "; see LoadOptions.withMtp");
        }
    }

    private static void requireToken(String what, int id, int vocabulary) {
        if (id < 0 || id >= vocabulary) {
            throw new RequestException("request: found " + what + " " + id + ", expected 0 to " + (vocabulary - 1));
        }
    }

    /** Makes the thread look at requests and readers again. */
    synchronized void wake() {
        changed = true;
        notifyAll();
    }

    private void work() {
        try {
            while (awaitWork()) {
                admit();
                batch.step();
            }
        } catch (RuntimeException | Error e) {
            RuntimeException cause = e instanceof RuntimeException r ? r : new IllegalStateException(e);
            shut();
            List<Generation> waiting = drain();
            if (waiting.isEmpty() && batch.size() == 0) { // else whoever reads a generation is told
                LOG.warn("engine stopped: {}", e.toString());
            }
            batch.failAll(cause);
            waiting.forEach(g -> g.fail(cause));
            return;
        }
        batch.cancelAll();
        drain().forEach(g -> g.finish(FinishReason.CANCELLED));
    }

    /** Waits until there is something to do. @return false once closed */
    private synchronized boolean awaitWork() {
        while (!closed && !batch.hasWork() && !(batch.free() > 0 && !queue.isEmpty()) && !queueHasCancelled()) {
            if (!changed) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    closed = true;
                }
            }
            changed = false;
        }
        return !closed;
    }

    private boolean queueHasCancelled() {
        return queue.stream().anyMatch(Generation::isCancelled);
    }

    private void admit() {
        List<Generation> ended = new ArrayList<>();
        List<Generation> joining = new ArrayList<>();
        synchronized (this) {
            queue.removeIf(g -> g.isCancelled() && ended.add(g));
            while (batch.free() > 0 && !queue.isEmpty()) {
                batch.reserve();
                joining.add(queue.remove());
            }
        }
        ended.forEach(g -> g.finish(FinishReason.CANCELLED));
        joining.forEach(batch::join);
    }

    private synchronized void shut() {
        closed = true;
    }

    private synchronized List<Generation> drain() {
        List<Generation> left = List.copyOf(queue);
        queue.clear();
        return left;
    }

    /** Sequences under way. */
    public int active() {
        return batch.size();
    }

    @Override
    public void close() {
        shut();
        wake();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}

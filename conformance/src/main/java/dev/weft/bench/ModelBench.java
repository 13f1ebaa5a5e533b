package dev.weft.bench;

import dev.weft.RequestException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.Session;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Prefill and decode of a whole model with random tokens, several sequences side by side. Which experts the tokens go to
 * is not seen from outside: beyond one token their number is what chance gives.
 *
 * @param prompt tokens of every sequence that are computed in chunks
 * @param generate tokens of every sequence that are computed one by one after them
 * @param depth tokens of every sequence before all that; computed once, outside the rounds
 * @param batch sequences in a step
 */
public record ModelBench(int prompt, int generate, int depth, int batch) {
    /** Most tokens of a step. */
    private static final int MOST_TOKENS = 512;

    /** @throws RequestException if there is nothing to do or a number is negative */
    public ModelBench {
        if (prompt < 0 || generate < 0 || depth < 0 || batch < 1 || prompt + generate < 1) {
            throw new RequestException("model: found prompt=" + prompt + " generate=" + generate + " depth=" + depth
                    + " batch=" + batch + ", expected prompt or generate or both, and a batch, of 1 or more");
        }
    }

    /** As in {@code pp512}, {@code tg128} and {@code pp512+tg128 @ d4096}. */
    public String name() {
        String done = prompt == 0 ? "tg" + generate : "pp" + prompt + (generate == 0 ? "" : "+tg" + generate);
        return depth == 0 ? done : done + " @ d" + depth;
    }

    /** Tokens of all sequences in a round. */
    public long tokens() {
        return ((long) prompt + generate) * batch;
    }

    /**
     * What a model must be loaded for so that it can run all of {@code tests}. The bounds of all of them together, since
     * loading takes longer than measuring.
     */
    public static LoadOptions loadOptions(List<ModelBench> tests) {
        LoadOptions o = LoadOptions.defaults();
        int context = 1;
        int tokens = 1;
        int sequences = 1;
        for (ModelBench t : tests) {
            context = Math.max(context, Math.addExact(t.depth, Math.addExact(t.prompt, t.generate)));
            long step = Math.min(MOST_TOKENS, (long) Math.max(t.prompt, t.depth) * t.batch);
            tokens = Math.max(tokens, Math.max(t.batch, (int) step));
            sequences = Math.max(sequences, t.sequences());
        }
        return o.maxContext(context).maxTokens(tokens).maxSequences(sequences);
    }

    /** Sequences alive at once: those filled to the depth stay while others go on from them. */
    private int sequences() {
        return depth == 0 ? batch : Math.multiplyExact(2, batch);
    }

    /**
     * Measures.
     *
     * @param model loaded with {@link #loadOptions}, or for more
     * @param device where it is
     * @param seed of the tokens
     * @param progress receives the number of rounds done
     * @throws RequestException if the model was loaded for less
     */
    public Result run(DeepSeekV4 model, Device device, long seed, Rounds rounds, IntConsumer progress) {
        LoadOptions o = model.options();
        LoadOptions need = loadOptions(List.of(this));
        if (o.maxContext() < need.maxContext() || o.maxSequences() < need.maxSequences() || o.maxTokens() < batch) {
            throw new RequestException("model: loaded for a context of " + o.maxContext() + ", " + o.maxSequences()
                    + " sequences and " + o.maxTokens() + " tokens a step, expected " + need.maxContext() + ", "
                    + need.maxSequences() + " and " + batch);
        }
        Work work = work(model);
        try (Trial trial = new Trial(model, seed)) {
            return rounds.run(device, work.bytes(), EnumSet.of(HardwareLimit.BF16_DOT), trial, progress)
                    .result(name(), work);
        }
    }

    private Work work(DeepSeekV4 model) {
        Work work = new Work(0, 0, HardwareLimit.BF16_DOT);
        int chunk = chunk(model);
        for (int at = 0; at < prompt; at += chunk) {
            work = work.plus(step(model, depth + at, Math.min(chunk, prompt - at), at + chunk >= prompt));
        }
        for (int i = 0; i < generate; i++) {
            work = work.plus(step(model, depth + prompt + i, 1, true));
        }
        return work;
    }

    private Work step(DeepSeekV4 model, int position, int tokens, boolean logits) {
        ModelConfig c = model.config();
        double experts = Span.expectedExperts(c.nRoutedExperts(), c.numExpertsPerTok(), tokens * batch);
        var extents = V4Graphs.extents(tokens * batch, batch, logits ? batch : 0);
        return GraphCost.of(model.graph(), new Span(batch, position, tokens, experts, extents));
    }

    /** Tokens of every sequence in a step of the prefill. */
    private int chunk(DeepSeekV4 model) {
        return Math.min(MOST_TOKENS, model.options().maxTokens()) / batch;
    }

    /** New sequences each round, from the depth on. */
    private final class Trial implements Rounds.Trial, AutoCloseable {
        private final DeepSeekV4 model;
        private final long seed;
        private final List<Session> filled = new ArrayList<>();
        private final List<Session> sessions = new ArrayList<>();
        private SplittableRandom random;

        Trial(DeepSeekV4 model, long seed) {
            this.model = model;
            this.seed = seed;
            this.random = new SplittableRandom(seed);
            try {
                if (depth > 0) {
                    open(filled);
                    inChunks(filled, depth);
                }
            } catch (RuntimeException | Error e) {
                close();
                throw e;
            }
        }

        private void open(List<Session> to) {
            for (int i = 0; i < batch; i++) {
                to.add(model.newSession());
            }
        }

        @Override
        public void prepare(int round) {
            random = new SplittableRandom(seed + 1 + round);
            if (depth == 0) {
                open(sessions);
            } else {
                filled.forEach(s -> sessions.add(s.fork()));
            }
        }

        @Override
        public void run() {
            inChunks(sessions, prompt);
            for (int i = 0; i < generate; i++) {
                append(sessions, 1, Feed.Want.LAST);
            }
        }

        private void inChunks(List<Session> to, int tokens) {
            for (int at = 0; at < tokens; ) {
                // one sequence alone may be spread over ranks
                int most = batch == 1 ? model.next(to.getFirst(), tokens - at) : chunk(model);
                int count = Math.min(most, tokens - at);
                append(to, count, at + count == tokens ? Feed.Want.LAST : Feed.Want.NONE);
                at += count;
            }
        }

        private void append(List<Session> to, int tokens, Feed.Want want) {
            model.step(to.stream().map(s -> new Feed(s, ids(tokens), want)).toList());
        }

        private int[] ids(int tokens) {
            int vocabulary = model.config().vocabSize();
            return IntStream.generate(() -> random.nextInt(vocabulary))
                    .limit(tokens)
                    .toArray();
        }

        @Override
        public void finish(int round) {
            sessions.forEach(Session::close);
            sessions.clear();
        }

        @Override
        public void close() {
            finish(0);
            filled.forEach(Session::close);
            filled.clear();
        }
    }
}

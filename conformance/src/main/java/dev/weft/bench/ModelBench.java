package dev.weft.bench;

import dev.weft.RequestException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
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
 */
public final class ModelBench {
    private final DeepSeekV4 model;
    private final Device device;
    private final int prompt;
    private final int generate;
    private final int batch;
    private final long seed;

    /**
     * @param model loaded for {@code batch} sequences of {@code prompt + generate} tokens
     * @param device where it is
     * @param prompt tokens of every prompt
     * @param generate tokens to decode after it
     * @param batch sequences in a step
     * @throws RequestException if the model was loaded for less
     */
    public ModelBench(DeepSeekV4 model, Device device, int prompt, int generate, int batch, long seed) {
        if (prompt < 1 || generate < 1 || batch < 1) {
            throw new RequestException("model: found prompt=" + prompt + " generate=" + generate + " batch=" + batch
                    + ", expected 1 or more of each");
        }
        int tokens = model.options().maxTokens();
        if (model.options().maxContext() - prompt < generate
                || model.options().maxSequences() < batch
                || tokens < batch) {
            throw new RequestException("model: loaded for a context of "
                    + model.options().maxContext() + ", " + model.options().maxSequences() + " sequences and " + tokens
                    + " tokens a step, expected " + (prompt + (long) generate) + ", " + batch + " and " + batch);
        }
        this.model = model;
        this.device = device;
        this.prompt = prompt;
        this.generate = generate;
        this.batch = batch;
        this.seed = seed;
    }

    /** Prompts from nothing, in chunks as long as the model takes. */
    public Result prefill(Rounds rounds, IntConsumer progress) {
        Work work = none();
        for (int at = 0; at < prompt; at += chunk()) {
            work = work.plus(step(at, Math.min(chunk(), prompt - at), at + chunk() >= prompt));
        }
        return measure("prefill", work, rounds, progress, new Sequences() {
            @Override
            public void run() {
                prefill();
            }
        });
    }

    /** Tokens after the prompts, one of every sequence in a step. */
    public Result decode(Rounds rounds, IntConsumer progress) {
        Work work = none();
        for (int i = 0; i < generate; i++) {
            work = work.plus(step(prompt + i, 1, true));
        }
        return measure("decode", work, rounds, progress, new Sequences() {
            @Override
            public void prepare(int round) {
                super.prepare(round);
                prefill();
            }

            @Override
            public void run() {
                for (int i = 0; i < generate; i++) {
                    append(1, Feed.Want.LAST);
                }
            }
        });
    }

    private Result measure(String name, Work work, Rounds rounds, IntConsumer progress, Rounds.Trial trial) {
        return rounds.run(device, work.bytes(), EnumSet.of(HardwareLimit.BF16_DOT), trial, progress)
                .result(name, work);
    }

    private static Work none() {
        return new Work(0, 0, HardwareLimit.BF16_DOT);
    }

    /** Tokens of every sequence in a step of the prefill. */
    private int chunk() {
        return model.options().maxTokens() / batch;
    }

    private Work step(int position, int tokens, boolean logits) {
        ModelConfig c = model.config();
        double experts = Span.expectedExperts(c.nRoutedExperts(), c.numExpertsPerTok(), tokens * batch);
        var extents = V4Graphs.extents(tokens * batch, batch, logits ? batch : 0);
        return GraphCost.of(model.graph(), new Span(batch, position, tokens, experts, extents));
    }

    /** New sequences each round. */
    private abstract class Sequences implements Rounds.Trial {
        private final List<Session> sessions = new ArrayList<>();
        private SplittableRandom random = new SplittableRandom(seed);

        @Override
        public void prepare(int round) {
            random = new SplittableRandom(seed + round);
            for (int i = 0; i < batch; i++) {
                sessions.add(model.newSession());
            }
        }

        void prefill() {
            for (int at = 0; at < prompt; at += chunk()) {
                boolean last = at + chunk() >= prompt;
                append(Math.min(chunk(), prompt - at), last ? Feed.Want.LAST : Feed.Want.NONE);
            }
        }

        void append(int tokens, Feed.Want want) {
            model.step(
                    sessions.stream().map(s -> new Feed(s, ids(tokens), want)).toList());
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
    }
}

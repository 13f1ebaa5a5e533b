package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DeviceMemoryException;
import dev.weft.RequestException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.generate.Engine;
import dev.weft.generate.EngineOptions;
import dev.weft.generate.FinishReason;
import dev.weft.generate.GeneratedToken;
import dev.weft.generate.Generation;
import dev.weft.generate.GenerationRequest;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.PrefixCache;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many sequences at once, with and without speculation, on a random model with an MTP block. */
@Tag("long")
@Timeout(600)
class EngineTest {
    private static final int VOCABULARY = 256;
    private static final int SEQUENCES = 16;

    @TempDir
    private static Path folder;

    private static Weft weft;
    private static Checkpoint checkpoint;
    private static DeepSeekV4 model;

    @BeforeAll
    static void load() {
        ModelConfig config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of("num_nextn_predict_layers", 1, "compress_ratios", List.of(0, 4, 128, 0)));
        SyntheticCheckpoint.of(config, 5).write(folder);
        weft = Weft.open(BackendConfig.DEFAULT.withThreads(2));
        checkpoint = Checkpoint.open(folder);
        model = DeepSeekV4.load(
                checkpoint,
                weft.device("cpu:0"),
                LoadOptions.defaults()
                        .maxContext(384)
                        .maxTokens(96)
                        .maxSequences(SEQUENCES)
                        .withMtp());
    }

    @AfterAll
    static void close() {
        model.close();
        checkpoint.close();
        weft.close();
    }

    private static int[] prompt(SplittableRandom random, int longest) {
        return random.ints(1 + random.nextInt(longest), 0, VOCABULARY).toArray();
    }

    private static int[] ids(List<GeneratedToken> tokens) {
        return tokens.stream().mapToInt(GeneratedToken::id).toArray();
    }

    private static int[] alone(int[] prompt, Sampling sampling) {
        try (Session session = model.newSession()) {
            return new Generator(session).generate(prompt, sampling);
        }
    }

    @Test
    void sequencesThatJoinAndLeaveGetWhatTheyGetAlone() {
        SplittableRandom random = new SplittableRandom(1);
        List<GenerationRequest> requests = new ArrayList<>();
        List<int[]> expected = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            Sampling sampling = Sampling.random(i % 3 == 0 ? 0 : 0.8f, 0.9f, 1 + random.nextInt(40), i)
                    .keeping(i % 4 == 1 ? 20 : 0, i % 4 == 2 ? 0.02f : 0)
                    .penalising(i % 5 == 1 ? 1.2f : 1, i % 5 == 2 ? 0.5f : 0, i % 5 == 3 ? 0.3f : 0)
                    .stopAt(7);
            requests.add(GenerationRequest.of(prompt(random, 150), sampling));
            expected.add(alone(requests.get(i).prompt(), sampling));
        }
        try (Engine engine = new Engine(model, new EngineOptions(20, 64, 64))) {
            List<Generation> running = new ArrayList<>();
            for (GenerationRequest request : requests) {
                running.add(engine.submit(request));
                if (random.nextInt(4) == 0) {
                    running.get(random.nextInt(running.size())).await();
                }
            }
            for (int i = 0; i < running.size(); i++) {
                assertThat(ids(running.get(i).await())).as("request " + i).isEqualTo(expected.get(i));
            }
        }
    }

    @Test
    void greedySpeculationGivesTheTokensOfPlainGreedy() {
        SplittableRandom random = new SplittableRandom(2);
        int drafted = 0;
        int accepted = 0;
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            for (int round = 0; round < 10; round++) {
                List<Generation> plain = new ArrayList<>();
                List<Generation> speculating = new ArrayList<>();
                for (int i = 0; i < 100; i++) {
                    GenerationRequest request = GenerationRequest.of(
                            prompt(random, 12), Sampling.greedy(10).stopAt(3));
                    plain.add(engine.submit(request));
                    speculating.add(engine.submit(request.speculating()));
                }
                for (int i = 0; i < plain.size(); i++) {
                    assertThat(ids(speculating.get(i).await()))
                            .as("prompt " + i + " of round " + round)
                            .isEqualTo(ids(plain.get(i).await()));
                    drafted += speculating.get(i).drafted();
                    accepted += speculating.get(i).accepted();
                }
            }
        }
        assertThat(accepted).as("both cases must have occurred").isPositive().isLessThan(drafted);
    }

    /** Crosses blocks of 4 and 128 positions and the end of the context. */
    @Test
    void speculationGoesBackAcrossBlocks() {
        SplittableRandom random = new SplittableRandom(3);
        int[] prompt = random.ints(100, 0, VOCABULARY).toArray();
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            GenerationRequest request = GenerationRequest.of(prompt, Sampling.greedy(1000));
            Generation plain = engine.submit(request);
            Generation speculating = engine.submit(request.speculating());
            assertThat(ids(speculating.await())).isEqualTo(ids(plain.await())).hasSize(285);
            assertThat(plain.reason()).isEqualTo(FinishReason.CONTEXT);
            assertThat(speculating.reason()).isEqualTo(FinishReason.CONTEXT);
            assertThat(speculating.drafted()).isGreaterThan(speculating.accepted());
        }
    }

    @Test
    void promptsThatBeginAlikeStartFromTheCache() {
        SplittableRandom random = new SplittableRandom(8);
        int[] system = random.ints(140, 0, VOCABULARY).toArray();
        Sampling sampling = Sampling.random(0.7f, 1, 12, 3);
        int cached = 0;
        try (PrefixCache cache = new PrefixCache(model, 64 << 20, 64);
                Engine engine = new Engine(model, EngineOptions.DEFAULT, cache)) {
            for (int i = 0; i < 12; i++) {
                int[] question = prompt(random, 20);
                int[] whole = IntStream.concat(Arrays.stream(system), Arrays.stream(question))
                        .toArray();
                GenerationRequest request = GenerationRequest.of(whole, sampling);
                Generation generation = engine.submit(i % 2 == 0 ? request : request.speculating());
                int[] answer = ids(generation.await());
                if (i % 2 == 0) {
                    assertThat(answer).as("question " + i).isEqualTo(alone(whole, sampling));
                }
                cached += generation.cached();
                int[] further = IntStream.concat(Arrays.stream(whole), Arrays.stream(answer))
                        .toArray();
                Generation next = engine.submit(GenerationRequest.of(further, sampling));
                assertThat(ids(next.await())).as("follow-up " + i).isEqualTo(alone(further, sampling));
                assertThat(next.cached()).isEqualTo(further.length - 1);
            }
        }
        assertThat(cached).as("all but the first find the common beginning").isGreaterThanOrEqualTo(11 * 128);
    }

    @Test
    void readersThatPauseHoldUpOnlyTheirOwnSequence() {
        SplittableRandom random = new SplittableRandom(4);
        try (Engine engine = new Engine(model, new EngineOptions(96, 8, 4))) {
            Generation slow = engine.submit(GenerationRequest.of(prompt(random, 10), Sampling.greedy(60)));
            Iterator<GeneratedToken> reader = slow.iterator();
            List<Integer> read = new ArrayList<>();
            read.add(reader.next().id());
            Generation quick = engine.submit(GenerationRequest.of(prompt(random, 10), Sampling.greedy(60)));
            assertThat(quick.await()).hasSize(60);
            assertThat(slow.reason()).as("nobody reads it").isNull();
            reader.forEachRemaining(t -> read.add(t.id()));
            assertThat(slow.reason()).isEqualTo(FinishReason.LENGTH);
            assertThat(read.stream().mapToInt(i -> i).toArray())
                    .isEqualTo(alone(slow.request().prompt(), Sampling.greedy(60)));
        }
    }

    @Test
    void cancellationTakesEffectBeforeTheNextStep() throws InterruptedException {
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            CountDownLatch third = new CountDownLatch(1);
            CountDownLatch cancelled = new CountDownLatch(1);
            AtomicInteger tokens = new AtomicInteger();
            Generation generation = engine.submit(GenerationRequest.of(new int[] {1, 2, 3}, Sampling.greedy(300))
                    .onToken(t -> {
                        if (tokens.incrementAndGet() == 3) {
                            third.countDown();
                            awaitOrFail(cancelled);
                        }
                    }));
            third.await();
            generation.cancel();
            cancelled.countDown();
            assertThat(generation.await()).hasSize(3);
            assertThat(generation.reason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(engine.submit(GenerationRequest.of(new int[] {1}, Sampling.greedy(5)))
                            .await())
                    .as("its sequence is free again")
                    .hasSize(5);
        }
    }

    private static void awaitOrFail(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Steps of one token: sequences take turns, and there is no room for a proposal. */
    @Test
    void stepsOfOneTokenAreEnough() {
        LoadOptions narrow = LoadOptions.defaults()
                .maxContext(64)
                .maxTokens(1)
                .maxSequences(2)
                .withMtp();
        int[] prompt = {9, 8, 7};
        try (DeepSeekV4 small = DeepSeekV4.load(checkpoint, weft.device("cpu:0"), narrow);
                Engine engine = new Engine(small, EngineOptions.DEFAULT)) {
            GenerationRequest request = GenerationRequest.of(prompt, Sampling.greedy(6));
            Generation first = engine.submit(request);
            Generation second = engine.submit(request);
            assertThat(ids(first.await())).isEqualTo(alone(prompt, Sampling.greedy(6)));
            assertThat(ids(second.await())).isEqualTo(ids(first.await()));
            assertThatThrownBy(() -> engine.submit(request.speculating()))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("maxTokens 1");
        }
    }

    @Test
    void aRequestForNoTokenEndsAtOnce() {
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            Generation generation = engine.submit(GenerationRequest.of(new int[] {1}, Sampling.greedy(0)));
            assertThat(generation.await()).isEmpty();
            assertThat(generation.reason()).isEqualTo(FinishReason.LENGTH);
        }
    }

    @Test
    void aReceiverThatThrowsEndsItsOwnRequestOnly() {
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            IllegalStateException cause = new IllegalStateException("receiver");
            Generation bad = engine.submit(
                    GenerationRequest.of(new int[] {1}, Sampling.greedy(9)).onToken(t -> {
                        throw cause;
                    }));
            Generation good = engine.submit(GenerationRequest.of(new int[] {1}, Sampling.greedy(9)));
            assertThat(good.await()).hasSize(9);
            assertThatThrownBy(bad::await).isSameAs(cause);
            assertThat(bad.reason()).isEqualTo(FinishReason.FAILED);
        }
    }

    @Test
    void whatCannotBeDoneIsRefused() {
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            assertThatThrownBy(() -> engine.submit(GenerationRequest.of(new int[385], Sampling.greedy(1))))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("385 tokens")
                    .hasMessageContaining("context of 384");
            assertThatThrownBy(() -> engine.submit(GenerationRequest.of(new int[] {256}, Sampling.greedy(1))))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("prompt token 256, expected 0 to 255");
            assertThatThrownBy(() -> engine.submit(GenerationRequest.of(
                            new int[] {1}, Sampling.greedy(1).bias(Map.of(999, 1f)))))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("biased token 999");
            assertThatThrownBy(() -> GenerationRequest.of(new int[0], Sampling.greedy(1)))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("empty prompt");
        }
    }

    @Test
    void aFullQueueRefusesAndCloseCancelsWhatWaits() {
        List<Generation> started = new ArrayList<>();
        GenerationRequest endless = GenerationRequest.of(new int[] {1}, Sampling.greedy(300)); // nobody reads
        Engine engine = new Engine(model, new EngineOptions(96, 2, 4));
        try (engine) {
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 100; i++) {
                            started.add(engine.submit(endless));
                        }
                    })
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("waiting");
            assertThat(started).hasSize(SEQUENCES + 2);
        }
        engine.close();
        assertThat(started).allSatisfy(g -> assertThat(g.reason()).isEqualTo(FinishReason.CANCELLED));
        assertThatThrownBy(() -> engine.submit(endless)).isInstanceOf(ClosedException.class);
    }

    @Test
    void aRequestThatFindsNoSessionFailsAlone() {
        List<Session> others = new ArrayList<>();
        for (int i = 0; i < SEQUENCES; i++) {
            others.add(model.newSession());
        }
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            GenerationRequest request = GenerationRequest.of(new int[] {1}, Sampling.greedy(3));
            assertThatThrownBy(() -> engine.submit(request).await())
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContaining("in use");
            others.removeLast().close();
            assertThat(engine.submit(request).await()).hasSize(3);
        } finally {
            others.forEach(Session::close);
        }
    }

    @Test
    void logProbabilitiesAreThoseOfTheModel() {
        int[] prompt = {5, 6, 7};
        Sampling sampling = Sampling.random(1.5f, 1, 4, 9).logprobs(3);
        float[] first;
        try (Session session = model.newSession()) {
            first = session.append(prompt);
        }
        double sum = 0;
        for (float v : first) {
            sum += Math.exp(v);
        }
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            GeneratedToken token = engine.submit(GenerationRequest.of(prompt, sampling))
                    .await()
                    .getFirst();
            assertThat(Math.exp(token.logprob())).isCloseTo(Math.exp(first[token.id()]) / sum, within());
            assertThat(token.alternatives()).hasSize(3);
            assertThat(token.alternatives().getFirst().logprob())
                    .isEqualTo(token.alternatives().stream()
                            .map(GeneratedToken.Alternative::logprob)
                            .max(Float::compare)
                            .orElseThrow());
            float[] sorted = first.clone();
            Arrays.sort(sorted);
            for (int i = 0; i < 3; i++) {
                assertThat(first[token.alternatives().get(i).id()]).isEqualTo(sorted[sorted.length - 1 - i]);
            }
        }
    }

    private static org.assertj.core.data.Offset<Double> within() {
        return org.assertj.core.data.Offset.offset(1e-6);
    }
}

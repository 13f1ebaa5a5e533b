package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.generate.Engine;
import dev.weft.generate.EngineOptions;
import dev.weft.generate.GeneratedToken;
import dev.weft.generate.Generation;
import dev.weft.generate.GenerationRequest;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Draws;
import dev.weft.model.Feed;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.TokenSampler;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tokens of the demo model that the device draws itself, on the emulator. */
@Tag("long")
class DrawnTokensTest {
    private static final int[] PROMPT = {5, 300, 17, 900, 41, 77};
    private static final int TOKENS = 6;

    private static Emulator emulator;
    private static Weft weft;
    private static Checkpoint checkpoint;
    private static DeepSeekV4 model;

    @BeforeAll
    static void load() {
        emulator = Emulator.start();
        weft = Weft.open();
        checkpoint = Checkpoint.open(Path.of("../examples/demo-model"));
        LoadOptions options =
                LoadOptions.defaults().maxContext(256).maxTokens(32).maxSequences(8);
        model = DeepSeekV4.load(checkpoint, weft.device("cuda:0"), options);
    }

    @AfterAll
    static void close() {
        model.close();
        checkpoint.close();
        weft.close();
        emulator.close();
    }

    private static Sampling sampling(float temperature, float topP, long seed) {
        return Sampling.random(temperature, topP, TOKENS, seed);
    }

    /** By the host, from logits. */
    private static int[] chosen(Sampling sampling) {
        TokenSampler sampler = new TokenSampler(sampling);
        int[] tokens = new int[TOKENS];
        try (Session session = model.newSession()) {
            float[] logits = session.append(PROMPT);
            for (int i = 0; i < TOKENS; i++) {
                tokens[i] = sampler.next(logits);
                logits = session.append(tokens[i]);
            }
        }
        return tokens;
    }

    @Test
    void aSequenceAloneHasTheTokensThatTheHostWouldChoose() {
        for (Sampling sampling : List.of(sampling(0, 1, 0), sampling(1, 1, 3), sampling(0.8f, 0.7f, 4))) {
            try (Session session = model.newSession()) {
                assertThat(new Generator(session).generate(PROMPT, sampling))
                        .as("%s", sampling)
                        .containsExactly(chosen(sampling));
            }
        }
    }

    /** Those who want more than a token do not change what the others get. */
    @Test
    void sequencesTogetherHaveThemToo() {
        Sampling drawn = sampling(1, 1, 3);
        List<Sampling> all =
                List.of(drawn, drawn.logprobs(2), sampling(0, 1, 0), drawn.keeping(40, 0), sampling(0.8f, 0.7f, 4));
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            List<Generation> running = all.stream()
                    .map(s -> engine.submit(GenerationRequest.of(PROMPT, s)))
                    .toList();
            for (int i = 0; i < all.size(); i++) {
                assertThat(running.get(i).await())
                        .extracting(GeneratedToken::id)
                        .as("%s", all.get(i))
                        .containsExactlyElementsOf(
                                Arrays.stream(chosen(all.get(i))).boxed().toList());
            }
        }
    }

    @Test
    void logitsStayOnTheDeviceUnlessTheyAreWanted() {
        try (Session first = model.newSession();
                Session second = model.newSession();
                Session third = model.newSession()) {
            List<Feed> feeds = Stream.of(first, second, third)
                    .map(s -> new Feed(s, PROMPT, Feed.Want.LAST))
                    .toList();
            Draws draws = new Draws();
            draws.add(0, 1, 0);
            draws.add(1, 1, 0.5f);
            draws.add(0, 1, 0);
            emulator.bytesToHost();
            model.step(feeds, draws);
            assertThat(emulator.bytesToHost()).as("three tokens").isEqualTo(3L * Integer.BYTES);
            assertThatThrownBy(draws::logits).isInstanceOf(RequestException.class);
            assertThat(draws.token(0)).isEqualTo(chosen(sampling(0, 1, 0))[0]).isEqualTo(draws.token(2));

            draws.clear();
            draws.skip();
            draws.add(0, 1, 0);
            draws.skip();
            model.step(feeds, draws);
            int vocabulary = model.config().vocabSize();
            assertThat(draws.logits()).hasSize(3 * vocabulary);
            assertThat(draws.token(1)).isEqualTo(TokenSampler.argmax(Arrays.copyOf(draws.logits(), vocabulary)));
        }
    }

    /** Proposals and what they are held against; all that comes to the host are tokens and the streams that the block is fed with. */
    @Test
    void mostLikelyTokensNeedNoLogitsWithSpeculationEither(@TempDir Path folder) {
        ModelConfig config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of("num_nextn_predict_layers", 1, "compress_ratios", List.of(0, 4, 128, 0)));
        SyntheticCheckpoint.of(config, 5).write(folder);
        LoadOptions options = LoadOptions.defaults()
                .maxContext(128)
                .maxTokens(32)
                .maxSequences(4)
                .withMtp();
        Sampling greedy = Sampling.greedy(12);
        try (Checkpoint files = Checkpoint.open(folder);
                DeepSeekV4 small = DeepSeekV4.load(files, weft.device("cuda:0"), options);
                Engine engine = new Engine(small, EngineOptions.DEFAULT)) {
            List<int[]> prompts = List.of(new int[] {1, 2, 3}, new int[] {9}, new int[] {7, 7, 7, 7});
            List<List<GeneratedToken>> plain = prompts.stream()
                    .map(p -> engine.submit(GenerationRequest.of(p, greedy)).await())
                    .toList();
            emulator.bytesToHost();
            List<Generation> running = prompts.stream()
                    .map(p -> engine.submit(GenerationRequest.of(p, greedy).speculating()))
                    .toList();
            assertThat(running.stream().map(Generation::await).toList()).isEqualTo(plain);
            long steps = running.stream().mapToLong(Generation::drafted).sum();
            assertThat(steps).isPositive();
            long streams = 2L * 4 * config.hiddenSize() * Short.BYTES;
            long tokens = 3L * Integer.BYTES;
            long prompt = 8 * streams;
            assertThat(emulator.bytesToHost())
                    .as("%d steps of a sequence", steps)
                    .isLessThanOrEqualTo((steps + prompts.size()) * (streams + tokens) + prompt);
        }
    }

    /** The same rows may be asked for again without saying so. */
    @Test
    void aStepThatIsRefusedLeavesNoTokenOfTheOneBefore() {
        try (Session session = model.newSession()) {
            Draws draws = new Draws();
            draws.add(0, 1, 0);
            model.step(List.of(new Feed(session, PROMPT, Feed.Want.LAST)), draws);
            int token = draws.token(0);
            int outside = model.config().vocabSize();
            assertThatThrownBy(() -> session.append(outside, draws)).isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> draws.token(0)).isInstanceOf(RequestException.class);
            session.append(token, draws);
            assertThat(draws.token(0)).isEqualTo(chosen(sampling(0, 1, 0))[1]);
        }
    }

    @Test
    void asManyDrawsAsWantedRows() {
        try (Session session = model.newSession()) {
            Draws draws = new Draws();
            draws.skip();
            draws.skip();
            assertThatThrownBy(() -> model.step(List.of(new Feed(session, PROMPT, Feed.Want.LAST)), draws))
                    .isInstanceOf(RequestException.class)
                    .hasMessageStartingWith("draws: found 2 rows, expected the 1 that are wanted");
            assertThat(session.position()).isZero();
        }
    }
}

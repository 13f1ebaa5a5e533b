package dev.weft.backend.cpu.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.generate.Engine;
import dev.weft.generate.EngineOptions;
import dev.weft.generate.GeneratedToken;
import dev.weft.generate.Generation;
import dev.weft.generate.GenerationRequest;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Future;
import jdk.jfr.consumer.RecordingStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A prompt that all ranks compute leaves the bits that one device leaves. */
@Tag("long")
@Timeout(300)
class ContextPrefillTest {
    /** Two stretches of two ranks: 1024 tokens, and 1006 whose last block is not whole. */
    private static final int PROMPT = 2030;

    private static final int DECODED = 3;

    @TempDir
    private static Path checkpoint;

    private static ModelConfig config;

    @BeforeAll
    static void write() {
        config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "hidden_size",
                        512,
                        "num_attention_heads",
                        4,
                        "o_groups",
                        4,
                        "n_routed_experts",
                        8,
                        "num_nextn_predict_layers",
                        1));
        SyntheticCheckpoint.of(config, 11).write(checkpoint);
    }

    private static LoadOptions options(NumericMode mode) {
        return LoadOptions.defaults().mode(mode).maxContext(2304).maxTokens(512).maxSequences(1);
    }

    private static int[] tokens(int from, int count) {
        return new SplittableRandom(5)
                .ints(PROMPT + 300, 0, config.vocabSize())
                .skip(from)
                .limit(count)
                .toArray();
    }

    /** Logits after the prompt and of some tokens that follow, with a step back between. */
    private static float[][] sequence(DeepSeekV4 model, int... pieces) {
        List<float[]> rows = new ArrayList<>();
        try (Session s = model.newSession()) {
            for (int piece : pieces) {
                rows.add(s.append(tokens(s.position(), piece)));
            }
            rows.add(s.append(tokens(s.position(), PROMPT - s.position())));
            s.truncate(PROMPT - 7);
            for (int i = 0; i < DECODED; i++) {
                rows.add(s.append(tokens(s.position(), 1)));
                if (model.options().mtp()) {
                    rows.add(s.draft(3));
                }
            }
        }
        return rows.toArray(float[][]::new);
    }

    private static float[][] spread(LoadOptions options, ParallelPlan plan, int driver, int... pieces)
            throws Exception {
        List<Future<float[][]>> results = new Ranks(checkpoint, options, "cpu:0").run(plan, (rank, model) -> {
            if (rank != driver) {
                model.follow();
                return new float[0][];
            }
            return sequence(model, pieces);
        });
        for (Future<float[][]> r : results) {
            r.get();
        }
        return results.get(driver).get();
    }

    private static float[][] alone(LoadOptions options, int... pieces) throws Exception {
        return new Ranks(checkpoint, options, "cpu:0").alone((rank, model) -> sequence(model, pieces));
    }

    @ParameterizedTest
    @EnumSource(NumericMode.class)
    void twoRanksGiveTheBitsOfOne(NumericMode mode) throws Exception {
        LoadOptions o = options(mode);
        float[][] alone = alone(o);
        assertThat(stretchesOf(
                        () -> assertThat(spread(o, ParallelPlan.experts(2).withContext(), 0))
                                .isDeepEqualTo(alone)))
                .containsExactly(1024L, 1006L);
    }

    private interface Work {
        void run() throws Exception;
    }

    /** Tokens of the stretches that were spread meanwhile. */
    private static List<Long> stretchesOf(Work work) throws Exception {
        List<Long> stretches = new CopyOnWriteArrayList<>();
        try (RecordingStream events = new RecordingStream()) {
            events.enable("dev.weft.Step");
            events.onEvent("dev.weft.Step", e -> {
                if (e.getString("kind").equals("spread prefill")) {
                    stretches.add(e.getLong("tokens"));
                }
            });
            events.startAsync();
            work.run();
            events.stop();
        }
        return stretches;
    }

    @Test
    void whatOneRankComputedBeforeIsKnownToAll() throws Exception {
        LoadOptions o = options(NumericMode.BF16);
        ParallelPlan plan = ParallelPlan.experts(2).withHead().withOutput().withContext();
        assertThat(spread(o, plan, 1, 70, 3)).isDeepEqualTo(alone(o, 70, 3));
    }

    @Test
    void fourRanksGiveTheBitsOfOne() throws Exception {
        LoadOptions o = options(NumericMode.BF16);
        ParallelPlan plan = ParallelPlan.experts(4).withHead(2).withOutput(2).withContext();
        assertThat(spread(o, plan, 2)).isDeepEqualTo(alone(o));
    }

    /** A stretch of 1536 tokens; what follows is too short for one, for the block's window must lie in the last part. */
    @Test
    void theMtpBlockGoesOnWhereTheStretchEnds() throws Exception {
        LoadOptions o = options(NumericMode.BF16).maxTokens(768).withMtp();
        ParallelPlan plan = ParallelPlan.experts(2).withHead().withContext();
        assertThat(spread(o, plan, 1)).isDeepEqualTo(alone(o));
        assertThat(stretchesOf(() -> assertThat(spread(o, plan, 0, 70, 1600)).isDeepEqualTo(alone(o, 70, 1600))))
                .containsExactly(1536L);
    }

    @Test
    void allLogitsComeBackInTheOrderOfThePrompt() throws Exception {
        LoadOptions o = options(NumericMode.BF16);
        int[] ids = tokens(0, 1000);
        float[][] expected = new Ranks(checkpoint, o, "cpu:0").alone((rank, model) -> all(model, ids));
        List<Future<float[][]>> results = new Ranks(checkpoint, o, "cpu:0")
                .run(ParallelPlan.experts(2).withContext(), (rank, model) -> {
                    if (rank == 1) {
                        model.follow();
                        return new float[0][];
                    }
                    return all(model, ids);
                });
        assertThat(results.getFirst().get()).isDeepEqualTo(expected);
    }

    private static float[][] all(DeepSeekV4 model, int[] ids) {
        try (Session s = model.newSession()) {
            return s.appendAll(ids);
        }
    }

    /** Each rank leads its own prompt, and takes part in the other's meanwhile. */
    @Test
    void everyRankMayLead() throws Exception {
        LoadOptions o = options(NumericMode.BF16);
        float[][] expected = alone(o);
        List<Future<float[][]>> results = new Ranks(checkpoint, o, "cpu:0")
                .run(ParallelPlan.experts(2).withContext(), (rank, model) -> {
                    float[][] rows = sequence(model);
                    model.follow();
                    return rows;
                });
        assertThat(results.get(0).get()).isDeepEqualTo(expected);
        assertThat(results.get(1).get()).isDeepEqualTo(expected);
    }

    /** An engine answers while a long prompt is on its way over the ranks, and guesses ahead. */
    @Test
    void anEngineSaysTheSameOverRanks() throws Exception {
        LoadOptions o = options(NumericMode.BF16).maxTokens(768).maxSequences(3).withMtp();
        List<List<Integer>> alone = new Ranks(checkpoint, o, "cpu:0").alone((rank, model) -> generated(model));
        ParallelPlan plan = ParallelPlan.experts(2).withHead().withContext();
        List<Long> stretches = stretchesOf(() -> {
            List<Future<List<List<Integer>>>> results = new Ranks(checkpoint, o, "cpu:0").run(plan, (rank, model) -> {
                if (rank == 1) {
                    model.follow();
                    return List.of();
                }
                return generated(model);
            });
            assertThat(results.getFirst().get()).isEqualTo(alone);
        });
        assertThat(stretches).containsExactly(1536L, 1536L);
        assertThat(alone.getFirst()).hasSize(12);
    }

    private static List<List<Integer>> generated(DeepSeekV4 model) {
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            List<Generation> all = new ArrayList<>();
            for (int prompt : new int[] {20, 1800, 1700}) {
                all.add(engine.submit(GenerationRequest.of(tokens(prompt % 7, prompt), Sampling.greedy(12))
                        .speculating()));
            }
            List<List<Integer>> texts = new ArrayList<>();
            for (Generation g : all) {
                texts.add(g.await().stream().map(GeneratedToken::id).toList());
            }
            return texts;
        }
    }

    @Test
    void onePlanForOneRankIsRefused() {
        List<Future<Integer>> results = new Ranks(checkpoint, options(NumericMode.BF16), "cpu:0")
                .run(ParallelPlan.experts(1).withContext(), (rank, model) -> 0);
        assertThatThrownBy(() -> results.getFirst().get())
                .hasCauseInstanceOf(RequestException.class)
                .hasMessageContaining("two ranks or more");
    }

    /** What is taken back between two stretches is forgotten by all. */
    @Test
    void aPromptMayGoOnDifferentlyBetweenStretches() throws Exception {
        LoadOptions o = options(NumericMode.BF16);
        float[][] expected = new Ranks(checkpoint, o, "cpu:0").alone((rank, model) -> changed(model));
        List<Future<float[][]>> results = new Ranks(checkpoint, o, "cpu:0")
                .run(ParallelPlan.experts(2).withContext(), (rank, model) -> {
                    if (rank == 1) {
                        model.follow();
                        return new float[0][];
                    }
                    return changed(model);
                });
        assertThat(results.getFirst().get()).isDeepEqualTo(expected);
    }

    private static float[][] changed(DeepSeekV4 model) {
        try (Session s = model.newSession()) {
            s.append(tokens(0, 1024));
            s.truncate(1020);
            s.append(tokens(3, 4));
            return new float[][] {s.append(tokens(1, 1000))};
        }
    }

    @Test
    void stepsTooShortForTwoPartsAreRefusedByAll() {
        LoadOptions o = options(NumericMode.BF16).maxTokens(256);
        List<Future<Integer>> results =
                new Ranks(checkpoint, o, "cpu:0").run(ParallelPlan.experts(2).withContext(), (rank, model) -> 0);
        for (Future<Integer> result : results) {
            assertThatThrownBy(result::get)
                    .hasCauseInstanceOf(RequestException.class)
                    .hasMessageContaining("maxTokens=256, expected at least 512");
        }
    }
}

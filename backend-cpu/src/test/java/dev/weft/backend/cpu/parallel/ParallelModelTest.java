package dev.weft.backend.cpu.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import dev.weft.RequestException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Feed;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertTable;
import dev.weft.parallel.ParallelPlan;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.ForwardingGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model over several ranks gives the bits of one device, and ends cleanly when it cannot go on. */
@Timeout(300)
class ParallelModelTest {
    private static final int DECODED = 3;

    /** A deadline for tests in which it passes; loading has to be done by then too. */
    private static final Duration SHORT = Duration.ofSeconds(2);

    /** Prompts: one in five chunks that fills a block of the heaviest compression, short ones, one token. */
    private static final int[] PROMPTS = {140, 9, 1};

    @TempDir
    private static Path checkpoint;

    private static ModelConfig config;

    @BeforeAll
    static void write() {
        config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "hidden_size", 512,
                        "num_attention_heads", 4,
                        "o_groups", 4,
                        "n_routed_experts", 8,
                        "num_experts_per_tok", 3,
                        "num_nextn_predict_layers", 1));
        SyntheticCheckpoint.of(config, 7).write(checkpoint);
    }

    private static Ranks ranks(NumericMode mode) {
        return ranks(mode, (group, device) -> group);
    }

    private static Ranks ranks(NumericMode mode, BiFunction<Communicator, BackendDevice, Communicator> joined) {
        return new Ranks(
                checkpoint,
                LoadOptions.defaults().mode(mode).maxContext(256).maxTokens(32).maxSequences(PROMPTS.length),
                "cpu:0",
                joined);
    }

    /** Logits of a prompt and of some tokens after it. */
    private static float[][] sequence(DeepSeekV4 model, int index) {
        int[] ids = new SplittableRandom(index)
                .ints(PROMPTS[index] + DECODED, 0, config.vocabSize())
                .toArray();
        try (Session s = model.newSession()) {
            float[][] rows = Arrays.copyOf(s.appendAll(Arrays.copyOf(ids, PROMPTS[index])), ids.length);
            for (int i = PROMPTS[index]; i < ids.length; i++) {
                rows[i] = s.append(ids[i]);
            }
            return rows;
        }
    }

    private static float[][][] sequences(DeepSeekV4 model, IntStream which) {
        return which.mapToObj(i -> sequence(model, i)).toArray(float[][][]::new);
    }

    @TestFactory
    Stream<DynamicTest> anyNumberOfRanksGivesTheBitsOfOne() throws Exception {
        ExpertTable replicas = new ExpertTable(8, List.of(List.of(0, 1, 2, 3, 7), List.of(2, 4, 5, 6, 7)));
        Stream.Builder<DynamicTest> tests = Stream.builder();
        for (NumericMode mode : NumericMode.values()) {
            float[][][] alone =
                    ranks(mode).alone((rank, model) -> sequences(model, IntStream.range(0, PROMPTS.length)));
            List<ParallelPlan> plans = mode == NumericMode.BF16
                    ? List.of(
                            ParallelPlan.experts(2),
                            ParallelPlan.experts(2).withHead(),
                            ParallelPlan.experts(2).withPlacement(replicas),
                            ParallelPlan.experts(2).withOutput(),
                            ParallelPlan.experts(4).withHead().withOutput(),
                            ParallelPlan.experts(4).withHead(2).withOutput(2),
                            ParallelPlan.experts(8).withHead(2).withOutput(4),
                            ParallelPlan.experts(2).withPlacement(replicas).withFixedTokens(4),
                            ParallelPlan.experts(4).withOutput(2).withFixedTokens(32))
                    : List.of(
                            ParallelPlan.experts(2).withHead().withOutput(),
                            ParallelPlan.experts(4).withHead().withOutput(2),
                            ParallelPlan.experts(4).withFixedTokens(32));
            for (ParallelPlan plan : plans) {
                tests.add(DynamicTest.dynamicTest(
                        mode + " " + plan,
                        () -> assertThat(spread(ranks(mode), plan)).isDeepEqualTo(alone)));
            }
        }
        return tests.build();
    }

    /** The sequences over the ranks, each rank with its own: of four ranks one has none. */
    private static float[][][] spread(Ranks ranks, ParallelPlan plan) throws Exception {
        List<Future<float[][][]>> results = ranks.run(
                plan,
                (rank, model) ->
                        sequences(model, IntStream.range(0, PROMPTS.length).filter(i -> i % plan.ranks() == rank)));
        float[][][] all = new float[PROMPTS.length][][];
        for (int i = 0; i < all.length; i++) {
            all[i] = results.get(i % plan.ranks()).get()[i / plan.ranks()];
        }
        return all;
    }

    /** Counts, and what ranks tell each other about a step, are all that the host moves. */
    @Test
    void aGroupThatReachesDevicesMovesRowsOnThem() throws Exception {
        float[][][] alone =
                ranks(NumericMode.BF16).alone((rank, model) -> sequences(model, IntStream.range(0, PROMPTS.length)));
        List<OnDevice> groups = Collections.synchronizedList(new ArrayList<>());
        Ranks ranks = ranks(NumericMode.BF16, (group, device) -> {
            OnDevice joined = new OnDevice(group, device);
            groups.add(joined);
            return joined;
        });
        assertThat(spread(ranks, ParallelPlan.experts(2).withHead().withOutput()))
                .isDeepEqualTo(alone);
        assertThat(groups)
                .hasSize(2)
                .allSatisfy(g -> assertThat(g.onDevice().get())
                        .as("bytes on the device against those on the host")
                        .isGreaterThan(10 * g.onHost().get()));
    }

    @Test
    void ranksThatFollowServeTheOneThatDrives() throws Exception {
        Ranks ranks = ranks(NumericMode.BF16);
        float[][] alone = ranks.alone((rank, model) -> sequence(model, 1));
        List<Future<float[][]>> results = ranks.run(ParallelPlan.experts(4).withHead(), (rank, model) -> {
            if (rank != 2) {
                model.follow();
                return new float[0][];
            }
            return sequence(model, 1);
        });
        assertThat(results.get(2).get()).isDeepEqualTo(alone);
        assertThat(results.get(0).get()).isEmpty();
    }

    /** Drafts and steps of different ranks meet: whoever wants something else takes part without rows. */
    @Test
    void theMtpBlockRunsOverRanks() throws Exception {
        Ranks ranks = new Ranks(checkpoint, ranks(NumericMode.BF16).options().withMtp(), "cpu:0");
        float[][][] alone = ranks.alone((rank, model) -> {
            float[][][] all = new float[PROMPTS.length][][];
            for (int i = 0; i < all.length; i++) {
                all[i] = drafted(model, i);
            }
            return all;
        });
        List<Future<float[][]>> results =
                ranks.run(ParallelPlan.experts(4).withHead().withOutput(), (rank, model) -> {
                    float[][] rows = rank < PROMPTS.length ? drafted(model, rank) : new float[0][];
                    model.follow();
                    return rows;
                });
        for (int i = 0; i < PROMPTS.length; i++) {
            assertThat(results.get(i).get()).isDeepEqualTo(alone[i]);
        }
    }

    /** Logits of a prompt, and of drafts for the sequence that appends two and takes one back, over and over. */
    private static float[][] drafted(DeepSeekV4 model, int index) {
        SplittableRandom random = new SplittableRandom(index);
        int vocabulary = config.vocabSize();
        List<float[]> rows = new ArrayList<>();
        try (Session s = model.newSession()) {
            rows.add(s.append(random.ints(PROMPTS[index], 0, vocabulary).toArray()));
            for (int i = 0; i <= DECODED * index; i++) {
                rows.add(s.draft(random.nextInt(vocabulary)));
                rows.addAll(List.of(s.appendAll(random.ints(2, 0, vocabulary).toArray())));
                s.truncate(s.position() - 1);
            }
        }
        return rows.toArray(float[][]::new);
    }

    @Test
    void ranksWaitForOneThatLeadsLongerThanTheirDeadline() throws Exception {
        Ranks ranks = ranks(NumericMode.BF16);
        float[][] alone = ranks.alone((rank, model) -> sequence(model, 1));
        List<Future<float[][]>> results = ranks.run(ParallelPlan.experts(2), SHORT, (rank, model) -> {
            if (rank == 1) {
                model.follow();
                return new float[0][];
            }
            model.lead(lost -> {});
            Thread.sleep(SHORT.multipliedBy(3).dividedBy(2));
            float[][] rows = sequence(model, 1);
            Thread.sleep(SHORT.multipliedBy(3).dividedBy(2));
            return rows;
        });
        assertThat(results.get(0).get()).isDeepEqualTo(alone);
        assertThat(results.get(1).get()).isEmpty();
    }

    @Test
    void aRankThatLeadsLearnsWhileItIsIdleThatAnotherIsGone() {
        CountDownLatch told = new CountDownLatch(1);
        List<Future<String>> results = ranks(NumericMode.BF16).run(ParallelPlan.experts(2), SHORT, (rank, model) -> {
            if (rank == 1) {
                told.await();
                return "";
            }
            CompletableFuture<Throwable> failure = new CompletableFuture<>();
            model.lead(failure::complete);
            Throwable found = failure.get();
            told.countDown();
            assertThat(found).isInstanceOf(CommunicatorException.class);
            return found.getMessage();
        });
        assertThat(results.get(0).resultNow()).contains("start of step", "ranks [1] did not answer");
    }

    @Test
    void aRankHoldsOnlyItsExperts() throws Exception {
        Ranks ranks = ranks(NumericMode.BF16);
        long whole = ranks.alone((rank, model) -> model.weights().bytes());
        long experts = expertBytes();
        List<Future<Long>> shares = ranks.run(
                ParallelPlan.experts(2), (rank, model) -> model.weights().bytes());
        for (Future<Long> share : shares) {
            assertThat(share.get()).isBetween(whole - experts / 2 - 4096, whole - experts / 2 + 4096);
        }
    }

    /** Three FP4 matrices per expert and layer, a scale byte per 32 values. */
    private static long expertBytes() {
        long values = 3L * config.hiddenSize() * config.moeIntermediateSize() * config.nRoutedExperts();
        return config.numHiddenLayers() * (values / 2 + values / 32);
    }

    @Test
    void moreRowsThanTheCapacityIsRefusedByAllAndNothingAdvances() throws Exception {
        List<Future<String>> results = ranks(NumericMode.BF16)
                .run(ParallelPlan.experts(2).withCapacity(20), (rank, model) -> {
                    try (Session s = model.newSession()) {
                        List<Feed> large = List.of(new Feed(s, new int[16], Feed.Want.LAST));
                        String message = assertRefused(model, large);
                        assertThat(s.position()).isZero();
                        assertThat(model.step(List.of(new Feed(s, new int[] {5}, Feed.Want.LAST))))
                                .hasSize(1);
                        return message;
                    }
                });
        assertThat(results.get(0).get()).isEqualTo(results.get(1).get());
    }

    private static String assertRefused(DeepSeekV4 model, List<Feed> feeds) {
        try {
            model.step(feeds);
            throw new AssertionError("expected a refusal");
        } catch (RequestException e) {
            assertThat(e)
                    .hasMessageMatching(
                            "layers\\.0\\.ffn\\.moeSend.*: rank [01] would receive \\d+ rows, \\d+ of them for expert"
                                    + " [0-7], expected at most the capacity of 20; .*");
            return e.getMessage();
        }
    }

    @Test
    void aRankThatFailsEndsAll() {
        List<Future<Integer>> results = ranks(NumericMode.BF16).run(ParallelPlan.experts(2), (rank, model) -> {
            try (Session s = model.newSession()) {
                s.append(1);
                if (rank == 1) {
                    // the device goes while the other rank waits for this one's rows
                    model.execution().close();
                }
                s.append(2);
                return s.position();
            }
        });
        assertThatThrownBy(() -> results.get(0).get())
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(CommunicatorException.class)
                .hasMessageContaining("rank 1: dev.weft.ClosedException");
        assertThatThrownBy(() -> results.get(1).get()).isInstanceOf(ExecutionException.class);
    }

    /** Rank 3 stays away in the middle of a step: rank 2 waits in their block, the others where all meet next. */
    @Test
    void aRankThatHangsInABlockEndsAll() {
        List<Future<Integer>> results = ranks(NumericMode.BF16, (group, device) -> new Absent(group))
                .run(ParallelPlan.experts(4).withOutput(2), SHORT, (rank, model) -> {
                    try (Session s = model.newSession()) {
                        s.append(1);
                        return s.position();
                    }
                });
        for (Future<Integer> result : results) {
            assertThatThrownBy(result::get)
                    .hasCauseInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("ranks 2-3: ")
                    .hasMessageContaining("layers.1.attn.scatterColumns: rank 2 of 4 waited 2000 ms in step 1")
                    .hasMessageContaining("ranks [3] did not answer");
        }
    }

    /**
     * Rank 3 of 4 does not come to a collective of the second layer in its block, for longer than anybody waits; ranks of the
     * other block come late, so that rank 2 waits longest.
     */
    private static final class Absent extends ForwardingGroup {
        Absent(Communicator group) {
            super(group);
        }

        @Override
        public Communicator split(String name, int color, int key) {
            return new Absent(group().split(name, color, key));
        }

        @Override
        public void exchange(String what, Pieces send, Pieces receive) {
            if (what.equals("layers.1.attn.scatterColumns")) {
                switch (name() + ", " + rank()) {
                    case "ranks 2-3, 0" -> {}
                    case "ranks 2-3, 1" -> sleep(SHORT.multipliedBy(2));
                    default -> sleep(SHORT.dividedBy(4));
                }
            }
            super.exchange(what, send, receive);
        }

        private static void sleep(Duration time) {
            try {
                Thread.sleep(time);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** A model for 4 ranks at most, of which 8 may still have it in blocks. */
    @Test
    void theLargestBlocksThatFit() {
        assertThat(List.of(ParallelPlan.largestOutput(4, config), ParallelPlan.largestOutput(8, config)))
                .containsExactly(4, 4);
        assertThat(ParallelPlan.largestOutput(6, config)).isEqualTo(2);
        assertThat(ParallelPlan.largestOutput(3, config)).as("refused over all").isEqualTo(3);
        assertThat(ParallelPlan.largestOutput(16, ModelConfig.flash())).isEqualTo(8);
        assertThat(ParallelPlan.largestOutput(16, ModelConfig.pro())).isEqualTo(8);
        assertThat(ParallelPlan.largestHead(16, ModelConfig.pro())).isEqualTo(16);
        assertThat(ParallelPlan.largestHead(384, ModelConfig.pro())).isEqualTo(128);
        assertThat(ParallelPlan.experts(8).withHead(2).withOutput(8).blocks()).containsExactly(2);
    }

    @ParameterizedTest
    @CsvSource({
        "4, 3, 1, head=3 is no divisor of the ranks",
        "4, 1, 8, output=8 is no divisor of the ranks",
        "8, 8, 8, 'o_groups 4 is no multiple of the ranks; hidden_size 512 gives no whole FP8 blocks of 128 rows to"
                + " each'",
        "8, 2, 3, output=3 is no divisor of the ranks",
        "16, 1, 8, 'o_groups 4 is no multiple of the ranks in a block of output=8; hidden_size 512'",
    })
    void blocksThatDoNotFitAreNamed(int ranks, int head, int output, String message) {
        ParallelPlan plan = ParallelPlan.experts(ranks).withHead(head).withOutput(output);
        assertThatThrownBy(() -> plan.check(config))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining(message);
    }

    @Test
    void plansThatDoNotFitAreRefusedByAll() {
        List<Future<Integer>> results =
                ranks(NumericMode.BF16).run(ParallelPlan.experts(3).withOutput(), (rank, model) -> 0);
        for (Future<Integer> result : results) {
            assertThatThrownBy(result::get)
                    .hasCauseInstanceOf(RequestException.class)
                    .hasMessageContaining("n_routed_experts 8 is no multiple of the ranks")
                    .hasMessageContaining("o_groups 4")
                    .hasMessageContaining("hidden_size 512");
        }
    }
}

package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CommunicatorException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Placement;
import dev.weft.runtime.Weft;
import dev.weft.spi.Communicator;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A model over two emulated devices that NCCL joins gives the bits of one, and its rows stay on the devices. */
@Timeout(value = 200, unit = TimeUnit.SECONDS)
class NcclModelTest {
    private static final int RANKS = 2;
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    /** Tokens of the ranks' prompts, and of the steps after them. */
    private static final int[] PROMPTS = {9, 1};

    private static final int DECODED = 2;

    @TempDir
    private static Path checkpoint;

    private static ModelConfig config;

    /** How a rank's device comes to the group of the model. */
    private interface Joining {
        Communicator group(Communicator local, Device device);
    }

    @BeforeAll
    static void write() {
        config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "hidden_size", 512,
                        "num_attention_heads", 4,
                        "o_groups", 4,
                        "n_routed_experts", 8,
                        "num_experts_per_tok", 3));
        SyntheticCheckpoint.of(config, 7).write(checkpoint);
    }

    @Test
    void ranksGiveTheBitsOfOneDeviceAndRowsStayOnTheDevices() throws Exception {
        try (Emulator emulator = Emulator.start().with("devices", "" + 2 * RANKS);
                NcclEmulator nccl = new NcclEmulator().with("delay", "50")) {
            float[][][] alone = new float[RANKS][][];
            try (Weft weft = Weft.of(Emulator.backends());
                    Checkpoint files = Checkpoint.open(checkpoint);
                    DeepSeekV4 model = DeepSeekV4.load(files, weft.device("cuda:0"), options())) {
                for (int r = 0; r < RANKS; r++) {
                    alone[r] = sequence(model, r);
                }
            }
            emulator.bytesToHost();
            ParallelPlan plan = ParallelPlan.experts(RANKS).withHead().withOutput();
            assertThat(spread((local, device) -> local, plan)).isDeepEqualTo(alone);
            long throughHost = emulator.bytesToHost();
            Joining joining = (local, device) -> CudaRanks.join(local, device.spi(), DEADLINE);
            assertThat(spread(joining, plan)).isDeepEqualTo(alone);
            long withNccl = emulator.bytesToHost();
            long logits = 4L
                    * config.vocabSize()
                    * Arrays.stream(alone).mapToInt(a -> a.length).sum();
            assertThat(withNccl - logits)
                    .as("bytes but logits that come to the host, %d through it", throughHost - logits)
                    .isPositive()
                    .isLessThan((throughHost - logits) / 10);
            ParallelPlan blocks =
                    ParallelPlan.experts(2 * RANKS).withHead(RANKS).withOutput(RANKS);
            assertThat(spread(joining, blocks)).isDeepEqualTo(alone);
            assertThat(emulator.bytesToHost() - logits)
                    .as("bytes but logits that come to the host: counts, of twice as many ranks")
                    .isLessThan((throughHost - logits) / 2);
        }
    }

    /** From logits whose parts come from all ranks. */
    @Test
    void ranksDrawTheTokensOfOneDevice() throws Exception {
        try (Emulator emulator = Emulator.start().with("devices", "" + RANKS);
                NcclEmulator nccl = new NcclEmulator()) {
            int[][] alone = new int[RANKS][];
            try (Weft weft = Weft.of(Emulator.backends());
                    Checkpoint files = Checkpoint.open(checkpoint);
                    DeepSeekV4 model = DeepSeekV4.load(files, weft.device("cuda:0"), options())) {
                for (int r = 0; r < RANKS; r++) {
                    alone[r] = generated(model, r);
                }
            }
            int[][] together = new int[RANKS][];
            List<Future<float[][]>> results = ranks(
                    (local, device) -> CudaRanks.join(local, device.spi(), DEADLINE),
                    options(),
                    ParallelPlan.experts(RANKS).withHead(),
                    (model, rank) -> {
                        together[rank] = generated(model, rank);
                        model.follow();
                        return new float[0][];
                    });
            for (Future<float[][]> result : results) {
                result.get();
            }
            assertThat(together).isDeepEqualTo(alone);
        }
    }

    private static int[] generated(DeepSeekV4 model, int rank) {
        int[] prompt = new SplittableRandom(rank).ints(PROMPTS[rank], 0, 100).toArray();
        try (Session s = model.newSession()) {
            return new Generator(s).generate(prompt, Sampling.random(1, 0.9f, 5 - rank, rank));
        }
    }

    /** The third step alike runs from a graph: the driver launches only what feeds its inputs, and NCCL is called where the ranks meet only. */
    @Test
    void aStepThatComesAgainIsOneGraphWithTheExchangesInside() throws Exception {
        int[] ids = new SplittableRandom(5).ints(4, 0, 100).toArray();
        try (Emulator emulator = Emulator.start().with("devices", "" + RANKS);
                NcclEmulator nccl = new NcclEmulator()) {
            float[][] alone;
            try (Weft weft = Weft.of(Emulator.backends());
                    Checkpoint files = Checkpoint.open(checkpoint);
                    DeepSeekV4 model = DeepSeekV4.load(files, weft.device("cuda:0"), options())) {
                alone = steps(model, ids, i -> {});
            }
            CyclicBarrier together = new CyclicBarrier(RANKS);
            IntConsumer fromGraphsOnly = i -> {
                if (i == 2 && await(together) == 0) {
                    int firstTooMany = (ids.length - i) * RANKS + 1;
                    emulator.with("fail", "cuLaunchKernelEx:" + firstTooMany + ":1");
                    nccl.with("fail", "ncclGroupEnd:" + firstTooMany + ":3");
                }
                await(together);
            };
            List<Future<float[][]>> results = ranks(
                    (local, device) -> CudaRanks.join(local, device.spi(), DEADLINE),
                    options(),
                    ParallelPlan.experts(RANKS),
                    (model, rank) -> {
                        float[][] rows = steps(model, ids, fromGraphsOnly);
                        assertThat(model.execution().placement().rows())
                                .extracting(Placement.Row::kernel)
                                .contains("collective/moeGather", "collective/allToAll");
                        if (await(together) == 0) {
                            emulator.with("fail", "");
                            nccl.with("fail", "");
                        }
                        await(together);
                        return rows;
                    });
            for (Future<float[][]> result : results) {
                assertThat(result.get()).isDeepEqualTo(alone);
            }
        }
    }

    private static int await(CyclicBarrier barrier) {
        try {
            return barrier.await(60, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** Logits of one token after another. */
    private static float[][] steps(DeepSeekV4 model, int[] ids, IntConsumer before) {
        float[][] rows = new float[ids.length][];
        try (Session s = model.newSession()) {
            for (int i = 0; i < ids.length; i++) {
                before.accept(i);
                rows[i] = s.append(ids[i]);
            }
        }
        return rows;
    }

    /** In the middle of a step one device does not come to the end of what NCCL moves. */
    @Test
    void aRankThatHangsEndsAllByTheDeadline() {
        Duration deadline = Duration.ofSeconds(2);
        try (Emulator emulator = Emulator.start().with("devices", "" + RANKS);
                NcclEmulator nccl = new NcclEmulator().with("hang", "1:20")) {
            List<Future<float[][]>> results = ranks(
                    (local, device) -> CudaRanks.join(local, device.spi(), deadline),
                    options(),
                    ParallelPlan.experts(RANKS).withHead().withOutput(),
                    NcclModelTest::sequence);
            for (int r = 0; r < RANKS; r++) {
                assertThatThrownBy(results.get(r)::get)
                        .hasCauseInstanceOf(CommunicatorException.class)
                        .hasMessageMatching("(?s).*rank " + r + " of 2 on device cuda:" + r
                                + ": .* of group world, call \\d+ in step 1 .*not done after 2\\.\\d s.*");
            }
        }
    }

    /** Communicators wait in their end for graphs with their calls, also for one that hangs. */
    @Test
    void aRankThatHangsInAGraphEndsAllByTheDeadline() {
        int[] ids = new SplittableRandom(5).ints(6, 0, 100).toArray();
        try (Emulator emulator = Emulator.start().with("devices", "" + RANKS);
                NcclEmulator nccl = new NcclEmulator().with("hang", "1:40")) {
            List<Future<float[][]>> results = ranks(
                    (local, device) -> CudaRanks.join(local, device.spi(), Duration.ofSeconds(2)),
                    options(),
                    ParallelPlan.experts(RANKS),
                    (model, rank) -> steps(model, ids, i -> {}));
            for (Future<float[][]> result : results) {
                assertThatThrownBy(result::get)
                        .hasCauseInstanceOf(CommunicatorException.class)
                        .hasMessageMatching("(?s).* in step 5 .*not done after 2\\.\\d s.*");
            }
        }
    }

    /** Every device computes two parts of the prompt, whose last block is not whole. */
    @Test
    @Tag("long")
    void aPromptThatDevicesShare() throws Exception {
        int[] ids = new SplittableRandom(3).ints(400, 0, 100).toArray();
        LoadOptions options = LoadOptions.defaults()
                .rollback(0) // rings as short as they can be: short parts will do
                .maxContext(ids.length + 1)
                .maxTokens(256);
        try (Emulator emulator = Emulator.start().with("devices", "" + RANKS);
                NcclEmulator nccl = new NcclEmulator()) {
            float[][] alone;
            try (Weft weft = Weft.of(Emulator.backends());
                    Checkpoint files = Checkpoint.open(checkpoint);
                    DeepSeekV4 model = DeepSeekV4.load(files, weft.device("cuda:0"), options)) {
                alone = promptAndStep(model, ids);
            }
            List<Future<float[][]>> together = ranks(
                    (local, device) -> CudaRanks.join(local, device.spi(), DEADLINE),
                    options,
                    ParallelPlan.experts(RANKS).withContext(),
                    (model, rank) -> {
                        if (rank > 0) {
                            model.follow();
                            return new float[0][];
                        }
                        return promptAndStep(model, ids);
                    });
            assertThat(together.getFirst().get()).isDeepEqualTo(alone);
        }
    }

    private static float[][] promptAndStep(DeepSeekV4 model, int[] ids) {
        try (Session s = model.newSession()) {
            return new float[][] {s.append(ids), s.append(5)};
        }
    }

    private static LoadOptions options() {
        return LoadOptions.defaults()
                .mode(NumericMode.BF16)
                .maxContext(128)
                .maxTokens(16)
                .maxSequences(RANKS);
    }

    private static float[][] sequence(DeepSeekV4 model, int rank) {
        int[] ids =
                new SplittableRandom(rank).ints(PROMPTS[rank] + DECODED, 0, 100).toArray();
        float[][] rows = new float[1 + DECODED][];
        try (Session s = model.newSession()) {
            rows[0] = s.append(Arrays.copyOf(ids, PROMPTS[rank]));
            for (int i = 0; i < DECODED; i++) {
                rows[1 + i] = s.append(ids[PROMPTS[rank] + i]);
            }
        }
        return rows;
    }

    /** The sequences of the first ranks; others have none. */
    private static float[][][] spread(Joining joining, ParallelPlan plan) throws Exception {
        List<Future<float[][]>> results =
                ranks(joining, options(), plan, (model, rank) -> rank < RANKS ? sequence(model, rank) : new float[0][]);
        for (int r = RANKS; r < plan.ranks(); r++) {
            results.get(r).get();
        }
        return new float[][][] {results.get(0).get(), results.get(1).get()};
    }

    private static List<Future<float[][]>> ranks(
            Joining joining, LoadOptions options, ParallelPlan plan, BiFunction<DeepSeekV4, Integer, float[][]> work) {
        return CudaRanks.start(plan.ranks(), local -> {
            try (Weft weft = Weft.of(Emulator.backends());
                    Checkpoint files = Checkpoint.open(checkpoint)) {
                Device device = weft.device("cuda:" + local.rank());
                try (Communicator group = joining.group(local, device);
                        DeepSeekV4 model = DeepSeekV4.load(
                                files, device, options, CompileOptions.DEFAULT.withGroup(group), plan, bytes -> {})) {
                    return work.apply(model, local.rank());
                }
            }
        });
    }
}

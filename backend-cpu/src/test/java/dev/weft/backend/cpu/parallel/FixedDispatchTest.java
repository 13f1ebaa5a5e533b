package dev.weft.backend.cpu.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertGemm;
import dev.weft.op.ExpertTable;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.SwiGlu;
import dev.weft.parallel.ParallelPlan;
import dev.weft.parallel.ShardedGraph;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Communicator;
import dev.weft.spi.WeightData;
import dev.weft.spi.support.LocalGroup;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntBinaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Experts of several ranks in the fixed layout of dispatch, against all of them on one device. */
class FixedDispatchTest {
    private static final int EXPERTS = 6;
    private static final int CHOICES = 2;
    private static final int WIDTH = 128;
    private static final int MOST = 8;

    /** Tokens of the ranks. */
    private static final int[] TOKENS = {3, 0, 5};

    /** Experts 0 and 3 are on two ranks. */
    private static final ExpertTable TABLE =
            new ExpertTable(EXPERTS, List.of(List.of(0, 1, 3), List.of(0, 2, 4), List.of(3, 4, 5)));

    private static final ParallelPlan PLAN =
            ParallelPlan.experts(TOKENS.length).withPlacement(TABLE);

    private static final ModelConfig CONFIG = ModelConfig.read(
                    GoldenModel.micro().directory().resolve("config.json"))
            .with(Map.of("n_routed_experts", EXPERTS));

    /** Which expert is choice c of token t. */
    enum Choice {
        /** Every expert has some rows. */
        SPREAD((t, c) -> (t * 5 + c * 2) % EXPERTS),
        /** One rank gets all rows there are, for one expert: the worst case. */
        ONE((t, c) -> 5);

        private final IntBinaryOperator expert;

        Choice(IntBinaryOperator expert) {
            this.expert = expert;
        }
    }

    /** Rows of all ranks. */
    private record Rows(float[] x, int[] experts, float[] weights, float[] shared) {
        static Rows of(Choice choice) {
            int n = Arrays.stream(TOKENS).sum();
            int[] experts = new int[n * CHOICES];
            for (int i = 0; i < experts.length; i++) {
                experts[i] = choice.expert.applyAsInt(i / CHOICES, i % CHOICES);
            }
            return new Rows(random(n * WIDTH, 1), experts, random(n * CHOICES, 2), random(n * WIDTH, 3));
        }

        private static float[] random(int n, int seed) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] values = new float[n];
            for (int i = 0; i < n; i++) {
                values[i] = (float) random.nextGaussian();
            }
            return values;
        }

        Rows part(int from, int to) {
            return new Rows(
                    Arrays.copyOfRange(x, from * WIDTH, to * WIDTH),
                    Arrays.copyOfRange(experts, from * CHOICES, to * CHOICES),
                    Arrays.copyOfRange(weights, from * CHOICES, to * CHOICES),
                    Arrays.copyOfRange(shared, from * WIDTH, to * WIDTH));
        }
    }

    private static Graph graph() {
        GraphBuilder g = Graph.builder("experts");
        Dim tokens = Dim.named("tokens", 1, MOST);
        Value x = g.input("x", TensorType.of(DType.F32, Shape.of(tokens, Dim.fixed(WIDTH))));
        Value experts = g.input("experts", TensorType.of(DType.I32, Shape.of(tokens, Dim.fixed(CHOICES))));
        Value weights = g.input("weights", TensorType.of(DType.F32, Shape.of(tokens, Dim.fixed(CHOICES))));
        Value shared = g.input("shared", x.type());
        Value w = g.weight("w", new TensorType(DType.F4_E2M1, Shape.of(EXPERTS, WIDTH, WIDTH), Scaling.MXFP4));
        List<Value> sorted = g.nodes(new MoeDispatch(EXPERTS), x, experts, weights);
        Value y = g.node(new ExpertGemm(DType.F32), sorted.get(0), w, sorted.get(3));
        Value t = g.node(new SwiGlu(10, true), y, y, sorted.get(1));
        return g.output("y", g.node(new MoeCombine(), t, sorted.get(2), shared)).build();
    }

    /** As checkpoints hold experts: each by itself. */
    private static WeightData byExpert(String name, TensorType type) {
        WeightData.Part all =
                new RandomWeights(4).weight(name, type).parts().getFirst();
        return new WeightData(
                name,
                type,
                IntStream.range(0, EXPERTS)
                        .mapToObj(e -> new WeightData.Part(share(all.data(), e), share(all.scale(), e)))
                        .toList());
    }

    private static MemorySegment share(MemorySegment all, int expert) {
        long bytes = all.byteSize() / EXPERTS;
        return all.asSlice(expert * bytes, bytes);
    }

    private static float[] run(Rows rows, int most, @Nullable Communicator group) {
        ShardedGraph share = group == null
                ? ParallelPlan.ALONE.share(graph(), CONFIG, 0)
                : PLAN.shareFixed(graph(), CONFIG, group.rank());
        CompileOptions options =
                group == null ? CompileOptions.DEFAULT : CompileOptions.DEFAULT.withGroup(group);
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(1))) {
            Device device = weft.device("cpu:0");
            CompiledGraph compiled = device.compile(share.graph(), options);
            try (DeviceWeights weights = compiled.loadWeights(share.weights(FixedDispatchTest::byExpert));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                execution.bind("tokens", rows.experts().length / CHOICES);
                if (group != null) {
                    execution.bind(ParallelPlan.most("tokens"), most);
                }
                execution
                        .set("x", rows.x())
                        .set("experts", rows.experts())
                        .set("weights", rows.weights())
                        .set("shared", rows.shared());
                execution.run();
                return execution.floats("y");
            }
        }
    }

    /** The results of all ranks, one after another. */
    private static float[] spread(Rows rows, int most) throws Exception {
        List<Future<float[]>> parts = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(TOKENS.length)) {
            int from = 0;
            for (Communicator group : LocalGroup.of(TOKENS.length, Duration.ofSeconds(30))) {
                Rows mine = rows.part(from, from += TOKENS[group.rank()]);
                parts.add(threads.submit(() -> run(mine, most, group)));
            }
        }
        float[] all = new float[rows.x().length];
        int at = 0;
        for (Future<float[]> part : parts) {
            System.arraycopy(part.get(), 0, all, at, part.get().length);
            at += part.get().length;
        }
        return all;
    }

    @ParameterizedTest
    @EnumSource
    void ranksGiveTheBitsOfOneDevice(Choice choice) throws Exception {
        Rows rows = Rows.of(choice);
        float[] alone = run(rows, 0, null);
        assertThat(spread(rows, 5)).containsExactly(alone);
        assertThat(spread(rows, MOST)).as("with more room than rows").containsExactly(alone);
    }

    /** What no row holds is whatever was there, and a row that is not a number is nobody else's. */
    @Test
    void aRowThatIsNotANumberStaysAlone() throws Exception {
        Rows rows = Rows.of(Choice.SPREAD);
        float[] sound = run(rows, 0, null);
        Arrays.fill(rows.x(), WIDTH, 2 * WIDTH, Float.NaN);
        float[] y = spread(rows, MOST);
        for (int i = 0; i < y.length; i++) {
            if (i / WIDTH == 1) {
                assertThat(y[i]).as("value %d", i).isNaN();
            } else {
                assertThat(y[i]).as("value %d", i).isEqualTo(sound[i]);
            }
        }
    }

    @Test
    void moreRowsThanThereIsRoomForAreRefused() {
        assertThatThrownBy(() -> spread(Rows.of(Choice.SPREAD), 4))
                .hasMessageContaining("on rank 2: dev.weft.GraphException: moeGather.0: rank 2 has 5 rows, expected at most"
                        + " the capacity of 4; ");
    }

    @Test
    void theWorstCaseHasRoom() {
        Graph fixed = PLAN.shareFixed(graph(), CONFIG, 0).graph();
        long rows = fixed.values().stream()
                .filter(v -> v.name().contains("expertGemm"))
                .mapToLong(v -> v.type().shape().dim(0).maximum())
                .findFirst()
                .orElseThrow();
        assertThat(rows).isEqualTo((long) TOKENS.length * MOST * CHOICES);
    }
}

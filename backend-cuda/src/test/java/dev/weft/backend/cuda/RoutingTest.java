package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.FusedComparison;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Scale;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Choice of experts and distribution in one launch, by one block or by blocks that wait for one another. */
@Timeout(120)
class RoutingTest {
    private static final int MOST_ROWS = 180;
    private static final int WIDTH = 64;
    private static final int CHOICES = 6;

    private Emulator emulator;
    private Weft weft;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
        weft = Weft.of(Emulator.backends());
    }

    @AfterEach
    void end() {
        weft.close();
        emulator.close();
    }

    private static TensorType rowsOf(DType dtype, long... columns) {
        List<Dim> dims = new ArrayList<>(List.of(Dim.named("rows", 0, MOST_ROWS)));
        for (long c : columns) {
            dims.add(Dim.fixed(c));
        }
        return TensorType.of(dtype, new Shape(dims));
    }

    /** @param here experts of the distribution, of all that are chosen from */
    private static Graph graph(int experts, int here, boolean hashed) {
        GraphBuilder g = Graph.builder("routing");
        MoeGate gate = new MoeGate(CHOICES, MoeGate.Score.SQRT_SOFTPLUS, hashed, 1.5f);
        Value logits = g.input("logits", rowsOf(DType.F32, experts));
        List<Value> routed = hashed
                ? g.nodes(
                        gate,
                        logits,
                        g.input("ids", rowsOf(DType.I32)),
                        g.weight("table", TensorType.of(DType.I32, MOST_ROWS, CHOICES)))
                : g.nodes(gate, logits, g.weight("bias", TensorType.of(DType.F32, experts)));
        Value x = g.input("x", rowsOf(DType.F32, WIDTH));
        List<Value> d = g.nodes(new MoeDispatch(here), x, routed.get(0), routed.get(1));
        return g.output("beside", g.node(new Scale(0.3f), g.input("y", rowsOf(DType.F32, 7))))
                .output("experts", routed.get(0))
                .output("rows", d.get(0))
                .output("weights", d.get(1))
                .output("source", d.get(2))
                .output("offsets", d.get(3))
                .build();
    }

    private static int[] ids(int rows) {
        return IntStream.range(0, rows).map(i -> i * 7 % MOST_ROWS).toArray();
    }

    @ParameterizedTest
    @CsvSource({
        "0, 32, 32, false, 1",
        "8, 32, 32, false, 1",
        "9, 32, 32, false, 1",
        "9, 32, 32, true, 1",
        "16, 32, 20, false, 1",
        "17, 256, 256, false, 1",
        "64, 32, 32, true, 1",
        "128, 32, 32, false, 1",
        "170, 300, 300, false, 1",
        "171, 32, 32, false, 3",
        "171, 32, 20, true, 3"
    })
    void bitsAndLaunches(int rows, int experts, int here, boolean hashed, int launches) {
        Graph graph = graph(experts, here, hashed);
        Map<String, Long> dims = Map.of("rows", (long) rows);
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), graph).set("ids", ids(rows));
        assertThat((rows > 0 ? c.withNan() : c).run(dims)).isEqualTo(1);
        assertThat(weft.device("cuda:0").compile(graph).launches(dims).stream()
                        .mapToInt(OptionalInt::orElseThrow)
                        .sum())
                .isEqualTo(rows == 0 ? 1 : launches);
    }

    /** Several in one launch, each of which counts for itself. */
    @ParameterizedTest
    @CsvSource({"8, 0", "16, 1", "16, 2", "40, 3"})
    void sideBySide(int rows, int seed) {
        emulator.with("seed", Integer.toString(seed));
        GraphBuilder g = Graph.builder("routings");
        MoeGate gate = new MoeGate(CHOICES, MoeGate.Score.SQRT_SOFTPLUS, false, 1.5f);
        for (int i = 0; i < 3; i++) {
            Value logits = g.input("logits" + i, rowsOf(DType.F32, 32));
            Value bias = g.weight("bias" + i, TensorType.of(DType.F32, 32));
            List<Value> routed = g.nodes(gate, logits, bias);
            Value x = g.input("x" + i, rowsOf(DType.F32, WIDTH));
            List<Value> d = g.nodes(new MoeDispatch(32), x, routed.get(0), routed.get(1));
            g.output("rows" + i, d.get(0)).output("source" + i, d.get(2)).output("offsets" + i, d.get(3));
        }
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), g.build());
        assertThat(c.run(Map.of("rows", (long) rows))).isEqualTo(1);
    }

    /** What blocks count by is as it was after every launch, be it on a stream or in a graph, whatever the order of blocks. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void stepAfterStep(int seed) {
        emulator.with("seed", Integer.toString(seed));
        Graph graph = graph(32, 32, false);
        Device device = weft.device("cuda:0");
        try (Steps together = new Steps(device.compile(graph));
                Steps alone = new Steps(device.compile(graph, CompileOptions.DEFAULT.withoutFusion()))) {
            for (int step = 0; step < 5; step++) {
                for (int rows : new int[] {9, 64, 10, 170, 171}) {
                    assertThat(together.run(rows)).isEqualTo(alone.run(rows));
                }
            }
        }
    }

    /** Steps in flight at once on one device. */
    @Test
    void besideOneAnother() {
        CompiledGraph compiled = weft.device("cuda:0").compile(graph(32, 32, false));
        List<CompletableFuture<Void>> running = IntStream.range(0, 3)
                .mapToObj(i -> CompletableFuture.runAsync(() -> {
                    try (Steps steps = new Steps(compiled)) {
                        int[] first = steps.run(40 + i);
                        for (int step = 0; step < 20; step++) {
                            assertThat(steps.run(40 + i)).isEqualTo(first);
                        }
                    }
                }))
                .toList();
        running.forEach(CompletableFuture::join);
    }

    /** Where copies of rows come from, step after step. */
    private static final class Steps implements AutoCloseable {
        private final DeviceWeights weights;
        private final StateStore states;
        private final Execution execution;

        Steps(CompiledGraph compiled) {
            weights = compiled.loadWeights(new RandomWeights(1));
            states = compiled.newStates();
            execution = compiled.newExecution(weights, states);
        }

        int[] run(int rows) {
            SplittableRandom random = new SplittableRandom(rows);
            execution.bind("rows", rows);
            execution.set("logits", floats(random, rows * 32));
            execution.set("x", floats(random, rows * WIDTH));
            execution.set("y", floats(random, rows * 7));
            execution.run();
            return execution.ints("source");
        }

        private static float[] floats(SplittableRandom random, int count) {
            float[] values = new float[count];
            for (int i = 0; i < count; i++) {
                values[i] = (float) random.nextGaussian();
            }
            return values;
        }

        @Override
        public void close() {
            execution.close();
            states.close();
            weights.close();
        }
    }
}

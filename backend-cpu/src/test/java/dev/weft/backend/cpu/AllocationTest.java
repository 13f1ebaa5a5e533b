package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.HeapAllocation;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.TokenSampler;
import dev.weft.op.Add;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A step like the one before leaves nothing for the garbage collector. */
class AllocationTest {
    /** Less than one of the smallest objects in sixteen steps. */
    private static final double NOISE_BYTES = 1;

    private final HeapAllocation heap = HeapAllocation.counterOrSkip();

    @BeforeEach
    void needsNativeKernels() {
        String best = Cpu.variants().getFirst();
        assumeFalse(best.equals("vector") || best.equals("scalar"), "no native kernels here; kernels in Java allocate");
    }

    @Test
    void theCounterCounts() {
        Object[] kept = new Object[1];
        assertThat(heap.bytesPerStep(10, 1000, () -> kept[0] = new byte[100])).isGreaterThan(100);
    }

    @Test
    void anExecutionAllocatesNothing() {
        Dim rows = Dim.named("rows", 1, 8);
        TensorType type = TensorType.of(DType.F32, Shape.of(rows, Dim.fixed(16)));
        GraphBuilder g = Graph.builder("sums");
        Value x = g.input("x", type);
        Value ids = g.input("ids", TensorType.of(DType.I32, Shape.of(rows)));
        Value sum = x;
        for (int i = 0; i < 50; i++) {
            sum = g.node(new Add(), sum, x);
        }
        g.output("ids", ids);
        Graph graph = g.output("sum", sum).build();
        float[] values = new float[3 * 16];
        Arrays.fill(values, 0.5f);
        float[] result = new float[3 * 16];
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(2))) {
            CompiledGraph compiled = weft.device("cpu:0").compile(graph);
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                int[] numbers = {1, 2, 3, 4};
                double bytes = heap.bytesPerStep(20_000, 10_000, () -> {
                    execution.bind("rows", 3).set("x", values).set("ids", numbers, 3);
                    execution.run();
                    execution.floats("sum", result);
                });
                assertThat(bytes).isLessThan(NOISE_BYTES);
                assertThat(result).containsOnly(25.5f);
            }
        }
    }

    @Test
    void decodingAllocatesNothing() {
        decode(GoldenModel.micro(), LoadOptions.defaults());
    }

    @Test
    void decodingWithMtpAllocatesNothing() {
        Optional<GoldenModel> golden = GoldenModel.all().stream()
                .filter(g -> g.name().equals("tiny-flash"))
                .findFirst();
        assumeTrue(golden.isPresent(), "no golden model with an MTP block here");
        decode(golden.get(), LoadOptions.defaults().withMtp());
    }

    /** The session's list of tokens has grown to 2048 before the window that is measured and does not grow in it. */
    private void decode(GoldenModel golden, LoadOptions options) {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(2));
                Checkpoint checkpoint = Checkpoint.open(golden.directory());
                DeepSeekV4 model = DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options.maxContext(2048));
                Session session = model.newSession()) {
            float[] logits = session.append(1, 2, 3);
            int warmUp = 1100;
            int steps = 300;
            double bytes = heap.bytesPerStep(warmUp, steps, () -> {
                session.append(TokenSampler.argmax(logits), logits);
            });
            assertThat(session.position()).isEqualTo(3 + warmUp + 3 * steps);
            assertThat(bytes).isLessThan(NOISE_BYTES);
        }
    }

    @Test
    void generatingAllocatesNothingPerToken() {
        GoldenModel golden = GoldenModel.micro();
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(2));
                Checkpoint checkpoint = Checkpoint.open(golden.directory());
                DeepSeekV4 model = DeepSeekV4.load(
                        checkpoint, weft.device("cpu:0"), LoadOptions.defaults().maxContext(2048));
                Session session = model.newSession()) {
            long[] at = new long[1900];
            int[] n = {0};
            new Generator(session)
                    .generate(
                            new int[] {1, 2, 3},
                            Sampling.greedy(at.length),
                            token -> at[n[0]++] = heap.bytes(),
                            () -> false);
            long fewest = Long.MAX_VALUE;
            for (int from = 1100; from < 1900; from += 200) { // the lists of tokens have grown at 1024
                fewest = Math.min(fewest, at[from + 199] - at[from]);
            }
            assertThat(fewest / 199.0).isLessThan(NOISE_BYTES);
        }
    }
}

package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.op.Gemm;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.Tensor;
import dev.weft.spi.WeightData;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights in the device's own layout: every format, eager and in a graph, in one piece and in several. */
class PackingTest {
    private static final int ROWS = 3;

    static Stream<TensorType> formats() {
        return Stream.of(
                TensorType.of(DType.F32, 5, 7),
                TensorType.of(DType.BF16, 5, 7),
                TensorType.of(DType.F8_E4M3, 130, 200).scaled(Scaling.FP8_BLOCK_128),
                TensorType.of(DType.F4_E2M1, 6, 96).scaled(Scaling.MXFP4));
    }

    /** {@code x * w^T} in double precision. */
    private static double[] product(float[] x, float[] w, TensorType weight) {
        int n = (int) weight.shape().dim(0).maximum();
        int k = (int) weight.shape().dim(1).maximum();
        double[] y = new double[ROWS * n];
        for (int r = 0; r < ROWS; r++) {
            for (int j = 0; j < n; j++) {
                for (int i = 0; i < k; i++) {
                    y[r * n + j] += (double) x[r * k + i] * w[j * k + i];
                }
            }
        }
        return y;
    }

    private static void assertClose(float[] found, double[] expected) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < found.length; i++) {
            assertThat((double) found[i]).as("element " + i).isCloseTo(expected[i], Offset.offset(1e-4));
        }
    }

    private static Tensor activations(Device device, TensorType weight) {
        return device.random(
                TensorType.of(DType.F32, ROWS, weight.shape().dim(1).maximum()), 3);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void eagerOperandsArePacked(TensorType type) {
        try (ToyFixture f = new ToyFixture()) {
            Tensor w = f.device.random(type, 4);
            Tensor x = activations(f.device, type);
            float[] y = f.device.ops().run(new Gemm(DType.F32), x, w).getFirst().toFloatArray();
            assertClose(y, product(x.toFloatArray(), w.toFloatArray(), type));
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void weightsOfGraphsArePacked(TensorType type) {
        var g = Graph.builder("one product");
        var input =
                g.input("x", TensorType.of(DType.F32, ROWS, type.shape().dim(1).maximum()));
        Graph graph =
                g.output("y", g.gemm(input, g.weight("w", type), DType.F32)).build();
        try (ToyFixture f = new ToyFixture()) {
            var c = f.device.compile(graph);
            var run = c.newExecution(c.loadWeights(new RandomWeights(9)), c.newStates());
            Tensor x = activations(f.device, type);
            run.set("x", x.toFloatArray()).run();
            // the host fallback reads the same weight row-major
            f.faults.refuse("gemm", "refused to compare");
            var onHost = f.device.compile(graph, CompileOptions.DEFAULT.withHostFallback());
            var hostRun = onHost.newExecution(onHost.loadWeights(new RandomWeights(9)), onHost.newStates());
            hostRun.set("x", x.toFloatArray()).run();
            assertThat(run.floats("y")).isEqualTo(hostRun.floats("y"));
        }
    }

    @Test
    void aWeightInPartsIsOneWeight() {
        TensorType type = TensorType.of(DType.F32, 4, 2);
        float[] w = {1, 2, 3, 4, 5, 6, 7, 8};
        MemorySegment all = MemorySegment.ofArray(w);
        MemorySegment none = MemorySegment.ofArray(new byte[0]);
        List<WeightData.Part> parts = Stream.of(0, 16)
                .map(at -> new WeightData.Part(all.asSlice(at, 16), none))
                .toList();
        var g = Graph.builder("parts");
        var graph = g.output("y", g.gemm(g.input("x", TensorType.of(DType.F32, 1, 2)), g.weight("w", type)))
                .build();
        try (ToyFixture f = new ToyFixture()) {
            var compiled = f.device.compile(graph);
            var weights = compiled.loadWeights((name, t) -> new WeightData(name, t, parts));
            var run = compiled.newExecution(weights, compiled.newStates());
            run.set("x", 1f, 10f).run();
            assertThat(run.floats("y")).containsExactly(21, 43, 65, 87);
        }
    }
}

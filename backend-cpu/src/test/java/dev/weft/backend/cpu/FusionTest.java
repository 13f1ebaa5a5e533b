package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.FusedComparison;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.ExpertGemm;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.MoeDispatch;
import dev.weft.op.Quantize;
import dev.weft.op.SwiGlu;
import dev.weft.runtime.Weft;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Native kernels over several nodes leave the bits of the kernels of single nodes, at every level. */
class FusionTest {
    private static final int MOST_ROWS = 150;
    private static final int EXPERTS = 5;
    private static final int CHOICES = 2;

    private Weft weft;
    private GraphBuilder g;

    @BeforeEach
    void start() {
        weft = Weft.open();
        g = Graph.builder("fused");
    }

    @AfterEach
    void end() {
        weft.close();
    }

    private static Dim rows() {
        return Dim.named("rows", 0, MOST_ROWS);
    }

    private Value input(String name, DType dtype, long columns) {
        return g.input(name, TensorType.of(dtype, Shape.of(rows(), Dim.fixed(columns))));
    }

    private Value quantised(Value x) {
        return g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
    }

    private static TensorType fp8(long... dims) {
        return new TensorType(DType.F8_E4M3, Shape.of(dims), Scaling.FP8_BLOCK_128);
    }

    private static TensorType fp4(long... dims) {
        return new TensorType(DType.F4_E2M1, Shape.of(dims), Scaling.MXFP4);
    }

    /** Compares at every native level; all must make so many kernels of the graph. */
    private void assertKernels(Graph graph, long rows, int kernels) {
        List<String> levels = Cpu.variants().stream()
                .filter(v -> !v.equals("vector") && !v.equals("scalar"))
                .toList();
        for (String level : levels) {
            FusedComparison c = new FusedComparison(weft.device("cpu:0/" + level), graph);
            c.set(
                    "choices",
                    IntStream.range(0, Math.toIntExact(rows) * CHOICES)
                            .map(i -> i % CHOICES == 0 ? 0 : 1 + i % 3)
                            .toArray());
            if (rows > 0) {
                c.withNan();
            }
            assertThat(c.run(Map.of("rows", rows))).as(level).isEqualTo(kernels);
        }
    }

    private List<Value> dispatched(Value x) {
        Value choices = g.input("choices", TensorType.of(DType.I32, Shape.of(rows(), Dim.fixed(CHOICES))));
        return g.nodes(new MoeDispatch(EXPERTS), x, choices, input("weights", DType.F32, CHOICES));
    }

    /** The first expert has all rows, the last one none: tiles and row blocks of every height. */
    @ParameterizedTest
    @CsvSource({"1, BF16", "3, BF16", "20, BF16", "150, BF16", "0, BF16", "3, F32"})
    void routedExperts(long rows, DType flow) {
        List<Value> d = dispatched(quantised(input("x", flow, 384)));
        Value gate = g.node(new ExpertGemm(flow), d.get(0), g.weight("w1", fp4(EXPERTS, 640, 384)), d.get(3));
        Value up = g.node(new ExpertGemm(flow), d.get(0), g.weight("w3", fp4(EXPERTS, 640, 384)), d.get(3));
        Value act = quantised(g.node(new SwiGlu(0.7f, true), gate, up, d.get(1)));
        Value down = g.node(new ExpertGemm(flow), act, g.weight("w2", fp4(EXPERTS, 384, 640)), d.get(3));
        // quantiser, distribution, products with their activation, last product
        assertKernels(g.output("act", act).output("down", down).build(), rows, 4);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 9, 150, 0})
    void sharedExpert(long rows) {
        Value x = quantised(input("x", DType.BF16, 256));
        Value gate = g.gemm(x, g.weight("w1", fp8(1280, 256)), DType.BF16);
        Value up = g.gemm(x, g.weight("w3", fp8(1280, 256)), DType.BF16);
        g.output("act", quantised(g.node(new SwiGlu(0.7f, false), gate, up)));
        assertKernels(g.build(), rows, 2);
    }

    /** Widths that are no multiple of a part, and products of floats. */
    @ParameterizedTest
    @CsvSource({"1, F32", "70, F32", "2, BF16"})
    void withoutQuantiser(long rows, DType flow) {
        Value x = input("x", flow, 72);
        Value gate = g.gemm(x, g.weight("w1", TensorType.of(flow, 200, 72)), flow);
        Value up = g.gemm(x, g.weight("w3", TensorType.of(flow, 200, 72)), flow);
        g.output("act", g.node(new SwiGlu(0.7f, false), gate, up));
        assertKernels(g.build(), rows, 1);
    }

    @Test
    void aProductThatIsReadElsewhereIsStored() {
        Value x = input("x", DType.BF16, 64);
        Value gate = g.gemm(x, g.weight("w1", TensorType.of(DType.BF16, 128, 64)), DType.BF16);
        Value up = g.gemm(x, g.weight("w3", TensorType.of(DType.BF16, 128, 64)), DType.BF16);
        g.output("act", g.node(new SwiGlu(0.7f, false), gate, up)).output("up", up);
        assertKernels(g.build(), 4, 3);
    }

    /** The normed input of a sublayer, behind the exit of another if one is left. */
    private Value entered(DType flow, long width, boolean leaves) {
        TensorType type = TensorType.of(flow, Shape.of(rows(), Dim.fixed(4), Dim.fixed(width)));
        Value streams = g.input("streams", type);
        if (leaves) {
            TensorType square = TensorType.of(DType.F32, Shape.of(rows(), Dim.fixed(4), Dim.fixed(4)));
            Value y = input("y", flow, width);
            streams = g.node(new HyperPost(), y, streams, input("post", DType.F32, 4), g.input("comb", square));
        }
        List<Value> entry = g.nodes(
                new HyperPre(4, 20, 1e-6f, 1e-6f),
                streams,
                g.weight("fn", TensorType.of(DType.F32, 24, 4 * width)),
                g.weight("scale", TensorType.of(DType.F32, 3)),
                g.weight("base", TensorType.of(DType.F32, 24)));
        g.output("post'", entry.get(1)).output("comb'", entry.get(2));
        if (leaves) {
            g.output("streams'", streams);
        }
        return g.rmsNorm(entry.getFirst(), g.weight("norm", TensorType.of(DType.BF16, width)), 1e-6f);
    }

    @ParameterizedTest
    @CsvSource({"1, BF16, true", "3, F32, true", "150, BF16, true", "0, BF16, true", "2, BF16, false"})
    void fromOneSublayerIntoTheNext(long rows, DType flow, boolean leaves) {
        g.output("codes", quantised(entered(flow, 640, leaves)));
        assertKernels(g.build(), rows, 1);
    }

    @ParameterizedTest
    @CsvSource({"1, true", "150, false"})
    void anInputThatIsReadElsewhereIsStored(long rows, boolean leaves) {
        Value normed = entered(DType.BF16, 256, leaves);
        g.output("codes", quantised(normed)).output("normed", normed);
        assertKernels(g.build(), rows, 1);
    }

    @Test
    void aSublayerWithoutQuantiser() {
        g.output("normed", entered(DType.F32, 72, true));
        assertKernels(g.build(), 5, 1);
    }
}

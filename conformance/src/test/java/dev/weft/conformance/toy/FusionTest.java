package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Add;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.RingWrite;
import dev.weft.op.RmsNorm;
import dev.weft.op.Scale;
import dev.weft.op.SwiGlu;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.Placement;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Nodes that a device computes together: which are, where they go, and that no bit changes. */
class FusionTest {
    private static final List<List<Class<? extends Op>>> GATED =
            List.of(List.of(SwiGlu.class, Gemm.class, Add.class), List.of(RmsNorm.class, Gemm.class));

    private static CompileOptions fused() {
        return CompileOptions.DEFAULT;
    }

    private static void assertSameResults(
            List<List<Class<? extends Op>>> chains, @Nullable Class<? extends Op> family) {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.fuse(chains, family);
            assertThat(f.device.compile(ToyFixture.network()).placement().kernels())
                    .isLessThan(ToyFixture.network().nodes().size());
            var together = ToyFixture.runAll(f.device, fused().withPoison(), 3, 0, 1, 4);
            var apart = ToyFixture.runAll(f.device, fused().withPoison().withoutFusion(), 3, 0, 1, 4);
            for (int i = 0; i < apart.size(); i++) {
                assertThat(together.get(i).hidden()).isEqualTo(apart.get(i).hidden());
                assertThat(together.get(i).ring()).isEqualTo(apart.get(i).ring());
            }
        }
    }

    @Test
    void chainsAndFamiliesChangeNoBit() {
        assertSameResults(GATED, null);
        assertSameResults(List.of(), Gemm.class);
        assertSameResults(List.of(List.of(Add.class, RingWrite.class)), Gemm.class);
    }

    @Test
    void innerValuesHaveNoMemoryAndTheTableSaysWhoRunsTogether() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.fuse(GATED, null);
            Graph graph = ToyFixture.network();
            Placement together = f.device.compile(graph).placement();
            Placement apart = f.device.compile(graph, fused().withoutFusion()).placement();
            assertThat(together.valueBytes()).isLessThan(apart.valueBytes());
            // norm and both gemms that read it; activation, last gemm and sum; ring
            assertThat(together.kernels()).isEqualTo(3);
            assertThat(together.rows()).hasSameSizeAs(graph.nodes());
            assertThat(together.rows().stream().map(Placement.Row::last)).containsExactly(2, 2, 2, 5, 5, 5, 6);
            assertThat(together.rows().get(4).kernel()).isEqualTo("swiGlu/toy+gemm/toy+add/toy");
            assertThat(together.table()).contains("with node 5").contains("7 nodes, 3 kernels");
            assertThat(apart.kernels()).isEqualTo(7);
        }
    }

    @Test
    void timesOfAGroupGoToItsLastNode() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.fuse(GATED, null);
            CompiledGraph compiled = f.device.compile(ToyFixture.network());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(7));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                ToyFixture.feed(execution, 2, 0);
                long[] nanos = new long[7];
                Arrays.fill(nanos, -1);
                execution.profile(nanos);
                assertThat(nanos[2]).isPositive();
                assertThat(nanos[5]).isPositive();
                assertThat(new long[] {nanos[0], nanos[1], nanos[3], nanos[4]}).containsOnly(0);
            }
        }
    }

    private static Dim rows() {
        return Dim.named("rows", 0, 4);
    }

    private static Value row(GraphBuilder g, String name) {
        return g.input(name, TensorType.of(DType.F32, Shape.of(rows(), Dim.fixed(8))));
    }

    @Test
    void aGroupThatWouldWaitForItselfIsNotMade() {
        try (ToyFixture f = new ToyFixture()) {
            // x -> scale -> add, and x -> scale -> norm -> add: the norm would wait for the group and the group for it
            GraphBuilder g = Graph.builder("circle");
            Value scaled = g.node(new Scale(2), row(g, "x"));
            Value norm = g.rmsNorm(scaled, g.weight("w", TensorType.of(DType.F32, 8)), 1e-6f);
            Graph graph = g.output("y", g.add(scaled, norm)).build();
            f.faults.fuse(List.of(List.of(Scale.class, Add.class)), null);
            assertThat(f.device.compile(graph).placement().kernels()).isEqualTo(3);
            f.faults.fuse(List.of(List.of(Scale.class, RmsNorm.class)), null);
            assertThat(f.device.compile(graph).placement().kernels()).isEqualTo(2);
        }
    }

    @Test
    void nodesLikeTheFirstThatTheSecondReadsBelongToTheChain() {
        try (ToyFixture f = new ToyFixture()) {
            GraphBuilder g = Graph.builder("both");
            Value other = g.node(new Scale(5), row(g, "z"));
            Value a = g.node(new Scale(2), row(g, "x"));
            Value b = g.node(new Scale(3), row(g, "y"));
            Graph graph = g.output("sum", g.add(a, b)).output("other", other).build();
            f.faults.fuse(List.of(List.of(Scale.class, Add.class)), null);
            assertThat(f.device.compile(graph).placement().rows().stream().map(Placement.Row::last))
                    .containsExactly(0, 3, 3, 3);
        }
    }

    /** Unless one of them would make the group wait for itself. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nodesLikeTheLastThatReadTheOneBeforeBelongToTheChain(boolean waits) {
        try (ToyFixture f = new ToyFixture()) {
            GraphBuilder g = Graph.builder("both");
            Value x = g.node(new Scale(2), row(g, "x"));
            Value a = g.add(x, row(g, "y"));
            Value normed = g.rmsNorm(a, g.weight("w", TensorType.of(DType.F32, 8)), 1e-6f);
            Graph graph = g.output("a", normed)
                    .output("b", g.add(x, waits ? normed : row(g, "z")))
                    .build();
            f.faults.fuse(List.of(List.of(Scale.class, Add.class)), null);
            assertThat(f.device.compile(graph).placement().kernels()).isEqualTo(waits ? 3 : 2);
        }
    }

    @Test
    void aFamilyTakesEachNodeAsEarlyAsPossible() {
        try (ToyFixture f = new ToyFixture()) {
            GraphBuilder g = Graph.builder("side by side");
            Value x = row(g, "x");
            Value a = g.node(new Scale(2), x);
            Value b = g.node(new Scale(3), a);
            Value c = g.node(new Scale(4), x);
            Value d = g.node(new Scale(5), c);
            Graph graph = g.output("b", b).output("d", d).build();
            f.faults.fuse(List.of(), Scale.class);
            assertThat(f.device.compile(graph).placement().rows().stream().map(Placement.Row::last))
                    .containsExactly(2, 3, 2, 3);
        }
    }

    @Test
    void whatTheHostComputesStaysWhereItIs() {
        try (ToyFixture f = new ToyFixture()) {
            CompileOptions options = fused().withHostFallback();
            var expected = ToyFixture.runAll(f.device, options, 3).getFirst();
            f.faults.refuse("swiGlu", "no exponential unit").fuse(List.of(List.of(Gemm.class, Add.class)), Gemm.class);
            // two products before the activation on the host, the third with the sum behind it
            assertThat(f.device.compile(ToyFixture.network(), options).placement().rows().stream()
                            .map(Placement.Row::last))
                    .containsExactly(0, 2, 2, 3, 5, 5, 6);
            var found = ToyFixture.runAll(f.device, options, 3).getFirst();
            assertThat(found.hidden()).isEqualTo(expected.hidden());
            assertThat(found.ring()).isEqualTo(expected.ring());
        }
    }

    @Test
    void aStateIsReadBeforeItIsWritten() {
        try (ToyFixture f = new ToyFixture()) {
            GraphBuilder g = Graph.builder("state");
            Value positions = g.input("positions", TensorType.of(DType.I32, Shape.of(rows())));
            Value starts = g.input("starts", TensorType.of(DType.I32, 2));
            Value slots = g.input("slots", TensorType.of(DType.I32, 1));
            Value ring = g.state("ring", TensorType.of(DType.F32, 1, 4, 8));
            Value before = g.node(new Scale(2), row(g, "x"));
            Value read = g.node(new Scale(1), ring);
            Value written = g.node(new RingWrite(), ring, before, positions, starts, slots);
            Graph graph = g.output("read", read).output("written", written).build();
            f.faults.fuse(List.of(List.of(Scale.class, RingWrite.class)), null);
            CompiledGraph compiled = f.device.compile(graph);
            assertThat(compiled.placement().rows().stream().map(Placement.Row::last))
                    .containsExactly(2, 1, 2);
            // the group begins with the first node, but must wait for the second, which reads the old ring
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(7));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                execution
                        .bind("rows", 1)
                        .set("x", new float[] {1, 1, 1, 1, 1, 1, 1, 1})
                        .set("positions", 0)
                        .set("starts", 0, 1)
                        .set("slots", 0);
                execution.run();
                assertThat(execution.floats("read")).containsOnly(0);
                assertThat(execution.floats("written")).startsWith(2, 2, 2, 2, 2, 2, 2, 2, 0);
            }
        }
    }
}

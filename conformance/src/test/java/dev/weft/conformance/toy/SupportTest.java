package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.graph.Graph;
import dev.weft.op.Add;
import dev.weft.op.Gemm;
import dev.weft.op.OpInstance;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Placement;
import dev.weft.spi.Support;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Refused operators: all of them are named before anything is loaded, and the host runs them only on request. */
class SupportTest {
    private static ToyFixture refusing() {
        ToyFixture f = new ToyFixture();
        f.faults.refuse("swiGlu", "no exponential unit").refuse("ringWrite", "no scatter unit");
        return f;
    }

    /** What {@code body} writes to the log. */
    private static String logOf(Supplier<?> body) {
        PrintStream original = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
        try {
            body.get();
        } finally {
            System.setErr(original);
        }
        return log.toString(StandardCharsets.UTF_8);
    }

    @Test
    void everyRefusalIsReportedAtOnceAndNothingIsAllocated() {
        try (ToyFixture f = refusing()) {
            assertThatThrownBy(() -> f.device.compile(ToyFixture.network()))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContainingAll("small network", "toy:0", "2 of 7 nodes")
                    .hasMessageContainingAll("swiGlu", "no exponential unit", "ringWrite", "no scatter unit")
                    .hasMessageContaining("host fallback would run it");
            assertThat(f.faults.allocations()).isZero();
        }
    }

    @Test
    void fallbackGivesTheSameBitsAndSaysWhere() {
        int[] steps = {5, 0, 7};
        List<ToyFixture.Result> plain;
        try (ToyFixture f = new ToyFixture()) {
            plain = ToyFixture.runAll(f.device, CompileOptions.DEFAULT, steps);
        }
        try (ToyFixture f = refusing()) {
            CompileOptions options = CompileOptions.DEFAULT.withHostFallback();
            List<ToyFixture.Result> mixed = ToyFixture.runAll(f.device, options, steps);
            for (int i = 0; i < steps.length; i++) {
                assertThat(mixed.get(i).hidden()).isEqualTo(plain.get(i).hidden());
                assertThat(mixed.get(i).ring()).isEqualTo(plain.get(i).ring());
            }
            Placement placement =
                    f.device.compile(ToyFixture.network(), options).placement();
            assertThat(placement.hostNodes()).isEqualTo(2);
            assertThat(placement.rows().stream().filter(Placement.Row::onHost).map(Placement.Row::node))
                    .containsExactly("swiGlu", "ringWrite");
            assertThat(placement.toString()).contains("host/reference", "no exponential unit", "gemm/toy");
        }
    }

    @Test
    void fallbackIsLoggedInOneLine() {
        try (ToyFixture f = refusing()) {
            String log = logOf(() -> f.device.compile(ToyFixture.network(), CompileOptions.DEFAULT.withHostFallback()));
            assertThat(log.lines()).hasSize(1);
            assertThat(log).contains("small network", "toy:0", "2 of 7 nodes", "no exponential unit");
        }
    }

    @Test
    void withoutRefusalsNothingIsLogged() {
        try (ToyFixture f = new ToyFixture()) {
            assertThat(logOf(() -> f.device.compile(ToyFixture.network(), CompileOptions.DEFAULT.withHostFallback())))
                    .isEmpty();
        }
    }

    @Test
    void eagerOperatorsAreRefusedWithTheReason() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.refuse("add", "no adder");
            var a = f.device.random(TensorType.of(DType.F32, 2, 3), 1);
            assertThatThrownBy(() -> f.device.ops().run(new Add(), a, a))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContainingAll("add", "toy:0", "no adder");
            assertThat(f.device.supports(OpInstance.of(new Add(), List.of(a.type(), a.type()))))
                    .isEqualTo(new Support.Unsupported("no adder"));
        }
    }

    @Test
    void aPackedOperandMustBeAWeight() {
        var g = Graph.builder("computed weight");
        var x = g.input("x", TensorType.of(DType.F32, 2, 4));
        var w = g.input("w", TensorType.of(DType.F32, 3, 4));
        Graph graph = g.output("y", g.node(new Gemm(DType.F32), x, w)).build();
        try (ToyFixture f = new ToyFixture()) {
            assertThatThrownBy(() -> f.device.compile(graph))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContainingAll("operand w", "must be a weight", "INPUT");
            CompiledGraph onHost = f.device.compile(graph, CompileOptions.DEFAULT.withHostFallback());
            var weights = onHost.loadWeights((name, type) -> {
                throw new AssertionError("no weight expected: " + name);
            });
            var run = onHost.newExecution(weights, onHost.newStates());
            run.set("x", 1, 2, 3, 4, 5, 6, 7, 8f)
                    .set("w", 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 1f)
                    .run();
            assertThat(run.floats("y")).containsExactly(1, 2, 10, 5, 6, 26);
        }
    }
}

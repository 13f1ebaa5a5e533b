package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.GraphException;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.toy.ToyFaults.Mistake;
import dev.weft.graph.Graph;
import dev.weft.op.Cast;
import dev.weft.op.Dequantize;
import dev.weft.op.GatherRows;
import dev.weft.op.Quantize;
import dev.weft.op.RingWrite;
import dev.weft.op.RowCounts;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.RandomWeights;
import dev.weft.spi.support.LocalGroup;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The small network on the toy device against plain loops in double precision. */
class ResultsTest {
    private static void assertClose(List<ToyFixture.Result> found, List<ToyFixture.Result> expected) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < found.size(); i++) {
            assertThat(distance(found.get(i).hidden(), expected.get(i).hidden()))
                    .as("hidden of step " + i)
                    .isLessThan(1e-5);
            assertThat(distance(found.get(i).ring(), expected.get(i).ring()))
                    .as("ring after step " + i)
                    .isLessThan(1e-5);
        }
    }

    /** Largest difference; NaN counts as infinite. */
    private static double distance(float[] a, float[] b) {
        assertThat(a).hasSameSizeAs(b);
        double worst = 0;
        for (int i = 0; i < a.length; i++) {
            double d = Math.abs((double) a[i] - b[i]);
            worst = Math.max(worst, Double.isNaN(d) ? Double.POSITIVE_INFINITY : d);
        }
        return worst;
    }

    @Test
    void stepsOfDifferentExtentsEqualPlainLoops() {
        int[] steps = {5, 1, 12, 0, 3};
        try (ToyFixture f = new ToyFixture()) {
            assertClose(ToyFixture.runAll(f.device, CompileOptions.DEFAULT, steps), ToyFixture.expected(steps));
        }
    }

    @Test
    void splittingASequenceDoesNotChangeBits() {
        try (ToyFixture f = new ToyFixture()) {
            float[] atOnce = ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 7)
                    .getLast()
                    .ring();
            float[] split = ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 3, 1, 0, 3)
                    .getLast()
                    .ring();
            assertThat(split).isEqualTo(atOnce);
        }
    }

    @Test
    void poisonChangesNothingForKernelsThatWriteWhatTheyRead() {
        int[] steps = {5, 1, 12};
        try (ToyFixture f = new ToyFixture()) {
            var options = CompileOptions.DEFAULT.withPoison();
            assertClose(ToyFixture.runAll(f.device, options, steps), ToyFixture.expected(steps));
        }
    }

    @Test
    void poisonFindsAKernelThatIsRightByLuck() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.plant("add", Mistake.READS_UNWRITTEN);
            // the nodes before it leave zeros in the workspace, so nothing shows
            assertClose(ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 4), ToyFixture.expected(4));
            var poisoned = ToyFixture.runAll(f.device, CompileOptions.DEFAULT.withPoison(), 4);
            assertThat(poisoned.getFirst().hidden()[0]).isNaN();
        }
    }

    @Test
    void aWrongElementIsSeen() {
        try (ToyFixture f = new ToyFixture()) {
            f.faults.plant("gemm", Mistake.WRONG_ELEMENT);
            var found = ToyFixture.runAll(f.device, CompileOptions.DEFAULT, 4).getFirst();
            assertThat(distance(
                            found.hidden(), ToyFixture.expected(4).getFirst().hidden()))
                    .isGreaterThan(0.1);
        }
    }

    @Test
    void aRunBringsAnOutputAlong() {
        try (ToyFixture f = new ToyFixture()) {
            var compiled = f.device.compile(ToyFixture.network());
            var weights = compiled.loadWeights(new RandomWeights(7));
            var run = compiled.newExecution(weights, compiled.newStates());
            ToyFixture.feed(run, 4, 0);
            run.run();
            float[] hidden = run.floats("hidden");
            float[] found = new float[hidden.length + 2];
            found[hidden.length] = 7;
            ToyFixture.feed(run, 4, 0); // the ring gets the same rows again
            run.run("hidden", found);
            assertThat(Arrays.copyOf(found, hidden.length)).isEqualTo(hidden);
            assertThat(found[hidden.length]).as("behind the output").isEqualTo(7);
            assertThat(run.floats("hidden")).isEqualTo(hidden);

            assertThatThrownBy(() -> run.run("hidden", new float[hidden.length - 1]))
                    .isInstanceOf(GraphException.class)
                    .hasMessageContainingAll(
                            "'hidden'", 4 * (hidden.length - 1) + " bytes", "expected " + 4 * hidden.length);
            assertThat(run.floats("hidden")).as("nothing has run").isEqualTo(hidden);
            assertThatThrownBy(() -> run.run("missing", found))
                    .isInstanceOf(GraphException.class)
                    .hasMessageContaining("'missing'");
            ToyFixture.feed(run, 0, 4);
            run.run("hidden", found);
            assertThat(found[0]).as("of an empty output").isEqualTo(hidden[0]);
        }
    }

    /** A node binds the output's extent while each run goes on: that of the run before says nothing. */
    @Test
    void aRunBringsAnOutputAlongWhoseExtentItBinds() {
        var g = Graph.builder("late");
        var rows = Dim.named("rows", 0, 8);
        var total = Dim.named("total", 0, 8);
        var x = g.input("x", TensorType.of(DType.F32, Shape.of(rows, Dim.fixed(1))));
        var all = g.node(new GatherRows(1, total), x, g.node(new RowCounts(1, total), x));
        var rounded = g.node(new Cast(DType.BF16), all);
        try (ToyFixture f = new ToyFixture()) {
            var group = LocalGroup.of(1, Duration.ofSeconds(30)).getFirst();
            var compiled = f.device.compile(
                    g.output("all", all).output("rounded", rounded).build(), CompileOptions.DEFAULT.withGroup(group));
            var run = compiled.newExecution(compiled.loadWeights(new RandomWeights(1)), compiled.newStates());
            float[] found = new float[8];
            run.bind("rows", 2).set("x", 1f, 2f).run("all", found);
            assertThat(found).containsExactly(1, 2, 0, 0, 0, 0, 0, 0);
            run.bind("rows", 4).set("x", 3f, 4f, 5f, 6f).run("all", MemorySegment.ofArray(found));
            assertThat(found).containsExactly(3, 4, 5, 6, 0, 0, 0, 0);

            float[] one = new float[1];
            run.bind("rows", 1).set("x", 7f).run("all", one);
            assertThat(one).containsExactly(7);
            run.bind("rows", 2).set("x", 8f, 9f);
            assertThatThrownBy(() -> run.run("all", one))
                    .isInstanceOf(GraphException.class)
                    .hasMessageContainingAll("'all'", "4 bytes", "expected 8");
            assertThat(one).as("too short").containsExactly(7);
            assertThat(run.floats("all")).as("of the run").containsExactly(8, 9);

            run.bind("rows", 1).set("x", 7f).run("rounded", one);
            assertThat(one).containsExactly(7);
        }
    }

    /** A ring of BF16 rows: the target is refused before the ring has moved. */
    @Test
    void aShortTargetIsRefusedBeforeStatesMove() {
        var g = Graph.builder("rounded ring");
        var ring = g.state("ring", TensorType.of(DType.BF16, 1, 2, 1));
        var x = g.input("x", TensorType.of(DType.BF16, 1, 1));
        var written = g.node(
                new RingWrite(),
                ring,
                x,
                g.input("positions", TensorType.of(DType.I32, 1)),
                g.input("starts", TensorType.of(DType.I32, 2)),
                g.input("slots", TensorType.of(DType.I32, 1)));
        try (ToyFixture f = new ToyFixture()) {
            var compiled = f.device.compile(g.output("ring", written).build());
            var run = compiled.newExecution(compiled.loadWeights(new RandomWeights(1)), compiled.newStates());
            run.set("positions", 0).set("starts", 0, 1).set("slots", 0);
            float[] found = new float[2];
            run.set("x", MemorySegment.ofArray(new short[] {(short) DType.BF16.encode(3)}))
                    .run("ring", found);
            assertThat(found).containsExactly(3, 0);
            run.set("x", MemorySegment.ofArray(new short[] {(short) DType.BF16.encode(5)}));
            assertThatThrownBy(() -> run.run("ring", new float[1]))
                    .isInstanceOf(GraphException.class)
                    .hasMessageContainingAll("'ring'", "4 bytes", "expected 8");
            assertThat(run.floats("ring")).as("nothing has run").containsExactly(3, 0);
        }
    }

    /** An input that is an output has its memory for itself: what the device has of it is not copied again. */
    @Test
    void anInputThatIsKeptIsCopiedOnce() {
        var g = Graph.builder("kept");
        var rows = Dim.named("rows", 0, 5);
        var x = g.input("x", TensorType.of(DType.F32, Shape.of(rows)));
        var passing = g.input("passing", TensorType.of(DType.F32, Shape.of(rows)));
        var sum = g.add(x, passing);
        try (ToyFixture f = new ToyFixture()) {
            var compiled = f.device.compile(
                    g.output("x", x).output("sum", g.add(sum, x)).build());
            var weights = compiled.loadWeights(new RandomWeights(1));
            var run = compiled.newExecution(weights, compiled.newStates());
            run.bind("rows", 2).set("x", 1f, 2f).set("passing", 10f, 20f).run();
            f.toy().copiesIn();
            run.run();
            assertThat(f.toy().copiesIn()).isEqualTo(1);
            assertThat(run.floats("sum")).containsExactly(12, 24);
            run.set("x", 3f, 4f).run();
            assertThat(f.toy().copiesIn()).isEqualTo(2);
            assertThat(run.floats("sum")).containsExactly(16, 28);
            run.bind("rows", 1);
            assertThatThrownBy(run::run).isInstanceOf(GraphException.class).hasMessageContaining("'x'");
            run.bind("rows", 2).run();
            assertThat(f.toy().copiesIn()).as("after a failure").isEqualTo(2);
            assertThat(run.floats("sum")).containsExactly(16, 28);
            assertThatThrownBy(() -> run.set("x", new float[1], 2)).isInstanceOf(IndexOutOfBoundsException.class);
            run.run();
            assertThat(f.toy().copiesIn())
                    .as("after a value that did not arrive")
                    .isEqualTo(2);
        }
    }

    @Test
    void scaledOutputsAreReadWithTheirScalesAndScaledInputsRefused() {
        var g = Graph.builder("quantised");
        var rows = Dim.named("rows", 0, 5);
        var x = g.input("x", TensorType.of(DType.F32, Shape.of(rows, Dim.fixed(256))));
        var q = g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
        try (ToyFixture f = new ToyFixture()) {
            var compiled = f.device.compile(g.output("q", q).build());
            var weights = compiled.loadWeights(new RandomWeights(1));
            var run = compiled.newExecution(weights, compiled.newStates());
            float[] values = new float[3 * 256];
            for (int i = 0; i < values.length; i++) {
                values[i] = (i % 7 - 3) * (i < 400 ? 1 : 64); // exact in E4M3 under any power-of-two scale
            }
            run.bind("rows", 3).set("x", values).run();
            assertThat(run.floats("q")).isEqualTo(values);
            float[] decoded = new float[values.length];
            run.run("q", decoded);
            assertThat(decoded).isEqualTo(values);

            var scaled = Graph.builder("scaled input");
            var in = scaled.input("codes", q.type());
            var fed = f.device.compile(scaled.output("y", scaled.node(new Dequantize(DType.F32), in))
                    .build());
            var feeding = fed.newExecution(weights, fed.newStates()).bind("rows", 1);
            assertThatThrownBy(feeding::run)
                    .isInstanceOf(GraphException.class)
                    .hasMessageContainingAll("'codes'", "quantize");
        }
    }
}

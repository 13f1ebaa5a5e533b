package dev.weft.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Dim;
import dev.weft.GraphException;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import dev.weft.op.Add;
import dev.weft.op.Gather;
import dev.weft.op.Gemm;
import dev.weft.op.RingWrite;
import dev.weft.op.RmsNorm;
import dev.weft.op.SwiGlu;
import dev.weft.op.TopK;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a builder accepts, and how it names what it refuses. */
class GraphBuilderTest {
    private static final Dim TOKENS = Dim.named("tokens", 1, 8);

    private final GraphBuilder g = Graph.builder("net");

    private static TensorType f32(long... extents) {
        return TensorType.of(DType.F32, extents);
    }

    private static TensorType rows(DType dtype, long width) {
        return TensorType.of(dtype, Shape.of(TOKENS, Dim.fixed(width)));
    }

    /** A ring state with the inputs that a write to it needs. */
    private record Ring(Value state, Value rows, Value positions, Value starts, Value slots) {
        static Ring declare(GraphBuilder g) {
            return new Ring(
                    g.state("ring", f32(2, 4, 3)),
                    g.input("rows", GraphBuilderTest.rows(DType.F32, 3)),
                    g.input("positions", TensorType.of(DType.I32, Shape.of(TOKENS))),
                    g.input("starts", TensorType.of(DType.I32, 2)),
                    g.input("slots", TensorType.of(DType.I32, 1)));
        }

        Value write(GraphBuilder g, Value ring) {
            return g.node(new RingWrite(), ring, rows, positions, starts, slots);
        }
    }

    @Test
    void typesFollowFromOperands() {
        Value x = g.input("x", rows(DType.BF16, 6));
        Value w = g.weight("w", f32(10, 6));
        Value y = g.gemm(x, w);
        assertThat(y.type()).isEqualTo(rows(DType.BF16, 10));
        assertThat(g.gemm(x, w, DType.F32).type()).isEqualTo(rows(DType.F32, 10));
        Graph graph = g.output("y", y).build();
        assertThat(graph.dims()).containsOnlyKeys("tokens").containsValue(TOKENS);
        assertThat(graph.nodes()).extracting(Node::label).containsExactly("gemm", "gemm#2");
        assertThat(graph.values())
                .allSatisfy(v -> assertThat(graph.values().get(v.id())).isSameAs(v));
    }

    @Test
    void wrongShapesNameOperatorAndOperand() {
        Value x = g.input("x", rows(DType.F32, 6));
        assertThatThrownBy(() -> g.gemm(x, g.weight("w", f32(10, 7))))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("gemm", "w [10, 7] f32", "expected 6");
        assertThatThrownBy(() -> g.rmsNorm(x, g.weight("n", f32(6, 1)), 1e-6f))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("rmsNorm", "w [6, 1]", "rank 2");
        assertThatThrownBy(() -> g.add(x, g.input("other", f32(8, 6))))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("add", "b [8, 6]", "a [tokens, 6]");
        assertThatThrownBy(() -> g.node(new Add(), x))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("add", "operand count", "found 1", "expected 2");
        assertThatThrownBy(() -> g.node(new SwiGlu(10, true), x, x, g.input("r", TensorType.of(DType.F32, 8))))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("swiGlu", "weights");
    }

    @Test
    void wrongDtypesNameOperatorAndOperand() {
        Value x = g.input("x", rows(DType.F32, 6));
        assertThatThrownBy(() -> g.add(x, g.input("half", rows(DType.BF16, 6))))
                .isInstanceOf(DTypeException.class)
                .hasMessageContainingAll("add", "b [tokens, 6] bf16");
        assertThatThrownBy(() -> g.rmsNorm(g.input("ids", rows(DType.I32, 6)), g.weight("n", f32(6)), 1e-6f))
                .isInstanceOf(DTypeException.class)
                .hasMessageContainingAll("rmsNorm", "x [tokens, 6] i32", "F32");
        assertThatThrownBy(() -> g.embedding(g.weight("table", f32(9, 6)), x))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("gather", "index");
        TensorType unscaled = TensorType.of(DType.F8_E4M3, 128, 128);
        assertThatThrownBy(() ->
                        g.node(new Gemm(DType.F32), g.input("wide", rows(DType.F32, 128)), g.weight("w8", unscaled)))
                .isInstanceOf(DTypeException.class)
                .hasMessageContainingAll("gemm", "w [128, 128] f8_e4m3", "128x128");
    }

    @Test
    void namesAreUnique() {
        g.input("x", f32(1, 1));
        assertThatThrownBy(() -> g.weight("x", f32(1)))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("net", "'x'", "already there");
        Value y = g.input("y", f32(1, 1));
        g.output("out", y);
        assertThatThrownBy(() -> g.output("out", y)).hasMessageContaining("output 'out' is already there");
    }

    @Test
    void valuesOfAnotherGraphAreRefused() {
        GraphBuilder other = Graph.builder("other");
        Value mine = g.input("x", f32(2, 2));
        Value theirs = other.input("x", f32(2, 2));
        assertThatThrownBy(() -> g.add(mine, theirs))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("net", "'x'", "another graph");
        assertThatThrownBy(() -> g.output("y", theirs)).hasMessageContaining("another graph");
        assertThatThrownBy(() -> g.reshape(theirs, Shape.of(2, 2))).hasMessageContaining("another graph");
    }

    @Test
    void anUpdatedStateIsUsableUnderItsNewValueOnly() {
        Ring ring = Ring.declare(g);
        Value first = ring.write(g, ring.state());
        assertThat(first.kind()).isEqualTo(Value.Kind.UPDATE);
        assertThat(first.root()).isEqualTo(ring.state().id());
        assertThatThrownBy(() -> ring.write(g, ring.state()))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("state 'ring'", "updated by 'ringWrite'", "instead of 'ring'");
        Value second = ring.write(g, first);
        assertThatThrownBy(() -> g.output("ring", first)).hasMessageContaining("'ringWrite#2'");
        assertThat(g.output("ring", second).build().outputs()).containsEntry("ring", second);
    }

    @Test
    void anOutputMustBeTheLastVersionOfAState() {
        Ring ring = Ring.declare(g);
        g.output("before", ring.state());
        ring.write(g, ring.state());
        assertThatThrownBy(g::build).isInstanceOf(GraphException.class).hasMessageContainingAll("'ring'", "updated by");
    }

    @Test
    void onlyStatesAreUpdated() {
        Ring ring = Ring.declare(g);
        Value input = g.input("no state", f32(2, 4, 3));
        assertThatThrownBy(() -> ring.write(g, input))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("'no state'", "not a state");
    }

    @Test
    void dimensionsHaveOneSetOfBounds() {
        g.input("x", rows(DType.F32, 4));
        Dim wider = Dim.named("tokens", 1, 9);
        assertThatThrownBy(() -> g.input("y", TensorType.of(DType.F32, Shape.of(wider))))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("'y'", "tokens", "[1, 9]", "[1, 8]");
        g.input("z", TensorType.of(DType.I32, Shape.of(TOKENS.times(6).plus(1))));
    }

    @Test
    void onlyTheFirstAxisMayBeNamed() {
        assertThatThrownBy(() -> g.input("x", TensorType.of(DType.F32, Shape.of(Dim.fixed(2), TOKENS))))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("'x'", "first axis");
        assertThatThrownBy(() -> g.weight("w", rows(DType.F32, 2))).hasMessageContainingAll("'w'", "fixed extents");
        assertThatThrownBy(() -> g.state("s", rows(DType.F32, 2))).hasMessageContainingAll("'s'", "fixed extents");
    }

    @Test
    void aGraphNeedsAnOutputOrAnUpdate() {
        Value x = g.input("x", f32(2, 2));
        g.add(x, x);
        assertThatThrownBy(g::build).isInstanceOf(GraphException.class).hasMessageContaining("no output");
    }

    @Test
    void aStateUpdateAloneIsAGraph() {
        Ring ring = Ring.declare(g);
        ring.write(g, ring.state());
        assertThat(g.build().outputs()).isEmpty();
    }

    @Test
    void aWeightIsNoOutput() {
        Value w = g.weight("w", f32(2));
        assertThatThrownBy(() -> g.output("y", w))
                .isInstanceOf(GraphException.class)
                .hasMessageContaining("weight 'w'");
    }

    @Test
    void reshapeKeepsFirstAxisAndCount() {
        Value x = g.input("x", rows(DType.F32, 12));
        Value heads = g.reshape(x, Shape.of(TOKENS, Dim.fixed(3), Dim.fixed(4)));
        assertThat(heads.kind()).isEqualTo(Value.Kind.VIEW);
        assertThat(g.reshape(heads, Shape.of(TOKENS, Dim.fixed(12))).root()).isEqualTo(x.id());
        Value halves = g.reshape(x, Shape.of(TOKENS.times(2), Dim.fixed(6)));
        assertThat(halves.root()).isEqualTo(x.id());
        assertThatThrownBy(() -> g.reshape(halves, Shape.of(TOKENS, Dim.fixed(12))))
                .isInstanceOf(GraphException.class);
        List<Shape> wrong = List.of(
                Shape.of(TOKENS, Dim.fixed(3), Dim.fixed(5)),
                Shape.of(TOKENS.times(2), Dim.fixed(12)),
                Shape.of(TOKENS.plus(1), Dim.fixed(12)),
                Shape.of(Dim.fixed(8), Dim.fixed(12)),
                Shape.of(Dim.fixed(12), TOKENS),
                new Shape(List.of()));
        for (Shape shape : wrong) {
            assertThatThrownBy(() -> g.reshape(x, shape))
                    .as(shape.toString())
                    .isInstanceOf(GraphException.class)
                    .hasMessageContainingAll("'x [tokens, 12] f32'", "same first axis");
        }
    }

    @Test
    void weightsStatesAndScaledValuesAreNotReshaped() {
        Shape flat = Shape.of(2, 64);
        Value scaled = g.input("q", TensorType.of(DType.F8_E4M3, 2, 8, 8).scaled(Scaling.FP8_GROUP_64));
        for (Value v : List.of(g.weight("w", f32(2, 8, 8)), g.state("s", f32(2, 8, 8)), scaled)) {
            assertThatThrownBy(() -> g.reshape(v, flat)).isInstanceOf(GraphException.class);
        }
    }

    @Test
    void severalResultsNeedNodes() {
        Value x = g.input("x", rows(DType.F32, 6));
        assertThatThrownBy(() -> g.node(new TopK(2), x))
                .isInstanceOf(GraphException.class)
                .hasMessageContainingAll("topK", "2 results", "nodes");
        assertThat(g.nodes(new TopK(2), x)).extracting(Value::name).last().isEqualTo("topK.1#2");
    }

    @Test
    void scopesNameNodes() {
        Value x = g.input("x", rows(DType.F32, 6));
        Value y = g.scope("layers", () -> g.scope("3", () -> g.add(x, x)));
        Value z = g.add(y, y);
        assertThat(y.name()).isEqualTo("layers.3.add");
        assertThat(z.name()).isEqualTo("add");
        assertThatThrownBy(() -> g.scope("broken", () -> g.node(new RmsNorm(0), x)))
                .isInstanceOf(ShapeException.class);
        assertThat(g.add(z, z).name()).isEqualTo("add#2");
    }

    @Test
    void embeddingTakesTheIndexAxis() {
        Value ids = g.input("ids", TensorType.of(DType.I32, Shape.of(TOKENS)));
        Value table = g.weight("table", TensorType.of(DType.BF16, 100, 6));
        assertThat(g.embedding(table, ids).type()).isEqualTo(rows(DType.BF16, 6));
        assertThat(g.node(new Gather(DType.F32), table, ids).type()).isEqualTo(rows(DType.F32, 6));
    }

    @Test
    void aBuiltGraphDoesNotChange() {
        Value x = g.input("x", f32(2, 2));
        Graph before = g.output("y", g.add(x, x)).build();
        g.output("z", g.add(x, x));
        assertThat(before.nodes()).hasSize(1);
        assertThat(before.outputs()).containsOnlyKeys("y");
        assertThat(g.build().nodes()).hasSize(2);
    }
}

package dev.weft.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.Concat;
import dev.weft.op.Scale;
import dev.weft.op.Slice;
import dev.weft.op.TopK;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Values alive together never overlap, and values that are not share memory. */
class MemoryPlanTest {
    private static final Dim TOKENS = Dim.named("tokens", 0, 33);

    private static TensorType rows(long width) {
        return TensorType.of(DType.F32, Shape.of(TOKENS, Dim.fixed(width)));
    }

    /** Random graph of nodes with one and two results, views, unused results and early and late outputs. */
    private static Graph random(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        GraphBuilder g = Graph.builder("random " + seed);
        List<Value> pool = new ArrayList<>();
        int inputs = random.nextInt(1, 4);
        for (int i = 0; i < inputs; i++) {
            pool.add(g.input("x" + i, rows(random.nextInt(1, 200))));
        }
        int nodes = random.nextInt(1, 40);
        for (int i = 0; i < nodes; i++) {
            Value a = pool.get(random.nextInt(pool.size()));
            Value b = pool.get(random.nextInt(pool.size()));
            int width = (int) a.type().shape().last().maximum();
            switch (random.nextInt(5)) {
                case 0 -> pool.add(g.node(new Slice(0, random.nextInt(width + 1)), a));
                case 1 -> pool.add(g.node(new Scale(2), a));
                case 2 -> pool.add(g.reshape(a, a.type().shape()));
                case 3 ->
                    pool.addAll(g.nodes(new TopK(Math.max(1, width)), width == 0 ? pool.getFirst() : a)
                            .subList(0, 1));
                default ->
                    pool.add(
                            width + b.type().shape().last().maximum() < 2000
                                    ? g.node(new Concat(), a, b)
                                    : g.add(a, a));
            }
            if (random.nextInt(8) == 0) {
                g.output("y" + i, pool.getLast());
            }
        }
        return g.output("last", g.add(pool.getLast(), pool.getLast())).build();
    }

    /** Node indices at which each storage is needed, found by walking over every use: -1 for inputs, size for outputs. */
    private static boolean[][] needed(Graph graph) {
        int steps = graph.nodes().size() + 2;
        boolean[][] needed = new boolean[graph.values().size()][];
        int[] first = new int[graph.values().size()];
        int[] last = new int[graph.values().size()];
        java.util.Arrays.fill(first, Integer.MAX_VALUE);
        java.util.Arrays.fill(last, -1);
        for (Value v : graph.values(Value.Kind.INPUT)) {
            use(first, last, v, 0);
        }
        for (Node n : graph.nodes()) {
            n.inputs().forEach(v -> use(first, last, v, n.index() + 1));
            n.outputs().forEach(v -> use(first, last, v, n.index() + 1));
        }
        graph.outputs().values().forEach(v -> use(first, last, v, steps - 1));
        for (int id = 0; id < needed.length; id++) {
            needed[id] = new boolean[steps];
            for (int s = first[id]; s <= last[id]; s++) {
                needed[id][s] = true;
            }
        }
        return needed;
    }

    private static List<Step> steps(Graph graph) {
        List<Step> steps = new ArrayList<>();
        graph.nodes().forEach(n -> steps.add(Step.of(n, n.instance(), null, false)));
        return steps;
    }

    /** A kernel that only needs scratch memory. */
    private record Scratch(long workspaceBytes) implements Kernel {
        @Override
        public String name() {
            return "scratch";
        }

        @Override
        public void enqueue(DeviceStream stream, KernelArguments arguments) {
            throw new AssertionError("is planned for, not run");
        }
    }

    private static void use(int[] first, int[] last, Value v, int step) {
        first[v.root()] = Math.min(first[v.root()], step);
        last[v.root()] = Math.max(last[v.root()], step);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 1000, 2000, 3000, 4000, 5000, 6000, 7000})
    void valuesAliveTogetherNeverOverlap(long base) {
        for (long seed = base; seed < base + 50; seed++) {
            Graph graph = random(seed);
            MemoryPlan plan = MemoryPlan.of(graph, steps(graph));
            boolean[][] needed = needed(graph);
            for (int step = 0; step < graph.nodes().size() + 2; step++) {
                assertDisjoint(graph, plan, needed, step);
            }
        }
    }

    private static void assertDisjoint(Graph graph, MemoryPlan plan, boolean[][] needed, int step) {
        boolean[] taken = new boolean[Math.toIntExact(plan.valueBytes() / MemoryPlan.ALIGNMENT)];
        for (Value v : graph.values()) {
            if (v.root() != v.id() || !needed[v.id()][step]) {
                continue;
            }
            long offset = plan.offset(v);
            long end = offset + MemoryPlan.storageBytes(v.type());
            assertThat(offset % MemoryPlan.ALIGNMENT).isZero();
            assertThat(end).as("%s in %s", v, graph.name()).isLessThanOrEqualTo(plan.valueBytes());
            for (int unit = (int) (offset / MemoryPlan.ALIGNMENT); unit < end / MemoryPlan.ALIGNMENT; unit++) {
                if (taken[unit]) {
                    throw new AssertionError(v + " overlaps another value at step " + step + " of " + graph.text());
                }
                taken[unit] = true;
            }
        }
    }

    @Test
    void aChainNeedsTwoValuesHoweverLongItIs() {
        GraphBuilder g = Graph.builder("chain");
        Value x = g.input("x", rows(64));
        for (int i = 0; i < 50; i++) {
            x = g.node(new Scale(2), x);
        }
        Graph graph = g.output("y", x).build();
        long one = MemoryPlan.storageBytes(rows(64));
        assertThat(MemoryPlan.of(graph, steps(graph)).valueBytes()).isEqualTo(2 * one);
    }

    @Test
    void viewsAndTheirRootsAreOnePlace() {
        GraphBuilder g = Graph.builder("views");
        Value x = g.input("x", rows(6));
        Value view = g.reshape(x, Shape.of(TOKENS, Dim.fixed(2), Dim.fixed(3)));
        Value unrelated = g.node(new Scale(2), x);
        Value again = g.node(new Scale(3), unrelated);
        Graph graph = g.output("view", view).output("again", again).build();
        List<Step> steps = steps(graph);
        steps.set(1, Step.of(graph.nodes().get(1), graph.nodes().get(1).instance(), new Scratch(100), false));
        MemoryPlan plan = MemoryPlan.of(graph, steps);
        assertThat(plan.offset(view)).isEqualTo(plan.offset(x));
        // the view is an output: nothing may be put over x
        assertThat(plan.offset(again)).isNotEqualTo(plan.offset(x));
        assertThat(plan.workspaceBytes()).isEqualTo(MemoryPlan.ALIGNMENT);
    }

    @Test
    void reusePaysOffInRandomGraphs() {
        long planned = 0;
        long separate = 0;
        for (long seed = 0; seed < 100; seed++) {
            Graph graph = random(seed);
            planned += MemoryPlan.of(graph, steps(graph)).valueBytes();
            separate += graph.values().stream()
                    .filter(v -> v.root() == v.id())
                    .mapToLong(v -> MemoryPlan.storageBytes(v.type()))
                    .sum();
        }
        assertThat(planned).isLessThan(separate * 3 / 4);
    }
}

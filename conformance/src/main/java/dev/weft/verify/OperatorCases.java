package dev.weft.verify;

import static java.util.Objects.requireNonNull;

import dev.weft.RequestException;
import dev.weft.conformance.HostTensor;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.spi.WeightData;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * One operator in all the forms that the conformance suite tries it in, as a graph: a node per case, with the case's
 * operands. Cases without rows are left out, and rows lie without gaps. Closing frees the operands.
 */
public final class OperatorCases implements AutoCloseable {
    private static final long MOST_ELEMENTS = 1L << 28;

    private final Arena arena = Arena.ofShared();
    private final Map<String, HostTensor> operands = new HashMap<>();
    private final Graph graph;

    private OperatorCases(List<OpCase> cases) {
        GraphBuilder g = Graph.builder(cases.getFirst().op().name());
        for (int i = 0; i < cases.size(); i++) {
            add(g, "case " + (i + 1), cases.get(i));
        }
        this.graph = g.build();
    }

    /**
     * The cases of an operator.
     *
     * @param operator its name, in any case
     * @throws RequestException if there is no such operator
     */
    public static OperatorCases of(String operator) {
        List<OpCase> cases = OpCases.all().stream()
                .filter(c -> c.op().name().equalsIgnoreCase(operator))
                .filter(c -> c.operands().stream().allMatch(o -> o.type().maxElements() > 0))
                .toList();
        if (cases.isEmpty()) {
            throw new RequestException("operator: found '" + operator + "', expected one of "
                    + OpCases.byOperator().keySet().stream().sorted().collect(Collectors.joining(", ")));
        }
        return new OperatorCases(cases);
    }

    /**
     * Matrix products of a size of one's own, in every combination of formats: {@code [m, k]} times {@code [n, k]}.
     *
     * @throws RequestException if an extent is below 1, or an operand has more than 2^28 elements
     */
    public static OperatorCases gemm(int m, int k, int n) {
        long most = Math.max((long) m * k, Math.max((long) n * k, (long) m * n));
        if (m < 1 || k < 1 || n < 1 || most > MOST_ELEMENTS) {
            throw new RequestException("gemm: found m=" + m + " k=" + k + " n=" + n
                    + ", expected 1 or more of each, and at most 2^28 elements of an operand or result");
        }
        return new OperatorCases(OpCases.gemm(m, k, n));
    }

    /** The graph. */
    public Graph graph() {
        return graph;
    }

    /** A comparison on the graph with the cases' operands. */
    public Comparison comparison() {
        Comparison comparison = Comparison.of(graph)
                .weights((name, type) -> WeightData.of(
                        name, type, operand(name).data(), operand(name).scales()));
        graph.values(Value.Kind.INPUT)
                .forEach(v -> comparison.input(v.name(), operand(v.name()).data()));
        graph.values(Value.Kind.STATE)
                .forEach(v -> comparison.state(v.name(), operand(v.name()).data()));
        return comparison;
    }

    private HostTensor operand(String name) {
        return requireNonNull(operands.get(name));
    }

    private void add(GraphBuilder g, String name, OpCase c) {
        List<HostTensor> tensors = c.tight(arena);
        List<Value> values = new ArrayList<>();
        for (int i = 0; i < tensors.size(); i++) {
            HostTensor t = tensors.get(i);
            String operand = name + "." + c.op().operands().get(i);
            operands.put(operand, t);
            values.add(
                    isUpdated(c, i)
                            ? g.state(operand, t.type())
                            : isWeight(c, i, t) ? g.weight(operand, t.type()) : g.input(operand, t.type()));
        }
        String types = c.operands().stream().map(o -> o.type().toString()).collect(Collectors.joining(" "));
        List<Value> results = g.scope(name + ", " + types, () -> g.nodes(c.op(), values.toArray(Value[]::new)));
        results.stream().filter(v -> !v.isState()).forEach(v -> g.output(v.name(), v));
    }

    private static boolean isUpdated(OpCase c, int operand) {
        for (int result = 0; result < c.instance().outputs().size(); result++) {
            if (c.op().updates(result) == operand) {
                return true;
            }
        }
        return false;
    }

    /** Backends may want these in an order of their own, or have scales, which are loaded and not fed. */
    private static boolean isWeight(OpCase c, int operand, HostTensor t) {
        return c.op().operands().get(operand).equals("w") || !t.type().scaling().isNone();
    }

    @Override
    public void close() {
        arena.close();
    }
}

package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.spi.HardwareLimit;
import java.util.List;
import java.util.function.Predicate;

/** What a graph has to do in a step. */
final class GraphCost {
    private GraphCost() {}

    /**
     * Weights and states that the step touches, each once, and all arithmetic at the rate of the BF16 unit. Values between
     * nodes are not counted: a machine with a large enough cache need not move them.
     */
    static Work of(Graph graph, Span span) {
        return of(graph, span, node -> true);
    }

    /** {@link #of(Graph, Span)} of every node by itself, each at the rate of its unit. */
    static List<Work> ofNodes(Graph graph, Span span) {
        return graph.nodes().stream().map(node -> NodeCost.of(node, span).lasting()).toList();
    }

    /** {@link #of(Graph, Span)} of some of the nodes. */
    static Work of(Graph graph, Span span, Predicate<Node> which) {
        double bytes = 0;
        double flops = 0;
        for (Node node : graph.nodes()) {
            if (which.test(node)) {
                NodeCost cost = NodeCost.of(node, span);
                bytes += cost.weightBytes() + cost.stateBytes();
                flops += cost.flops();
            }
        }
        return new Work(bytes, flops, HardwareLimit.BF16_DOT);
    }

    /** Name of a node for people: the operator, and the weight it uses or where it stands. */
    static String name(Node node) {
        return node.inputs().stream()
                .filter(v -> v.kind() == Value.Kind.WEIGHT)
                .map(v -> node.op().name() + " " + local(v.name()).replaceFirst("\\.weight$", ""))
                .findFirst()
                .orElseGet(() -> local(node.label()));
    }

    private static String local(String name) {
        return name.replaceFirst("^(layers|mtp)\\.[0-9]+\\.", "");
    }
}

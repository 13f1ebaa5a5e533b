package dev.weft.runtime;

import dev.weft.TensorType;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.OpInstance;
import dev.weft.spi.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What is enqueued at once: a node, or several that one kernel computes.
 *
 * @param nodes in the order of the graph
 * @param operands what the kernel is given, in its order
 * @param kernel null for what the runtime runs: a collective by the group, another node on the host
 * @param isCollective whether it is a collective of a group
 */
record Step(
        List<Node> nodes, List<Operand> operands, @Nullable Kernel kernel, boolean isCollective) {
    Step {
        nodes = List.copyOf(nodes);
        operands = List.copyOf(operands);
    }

    /**
     * A value of the step.
     *
     * @param value the value
     * @param instance an operator that reads or writes it
     * @param index which of the operands of the instance, or of its results behind those, it is
     * @param isInner whether nobody but the kernel sees it, so that it has no memory
     */
    record Operand(Value value, OpInstance instance, int index, boolean isInner) {
        /** Whether the step makes it. */
        boolean isResult() {
            return index >= instance.inputs().size();
        }
    }

    /** A node alone. */
    static Step of(Node node, OpInstance instance, @Nullable Kernel kernel, boolean isCollective) {
        List<Operand> operands = new ArrayList<>();
        for (Value v : node.operands()) {
            operands.add(new Operand(v, instance, operands.size(), false));
        }
        return new Step(List.of(node), operands, kernel, isCollective);
    }

    /** The first node. */
    Node node() {
        return nodes.getFirst();
    }

    /** The last node, whose row of a table stands for all. */
    Node last() {
        return nodes.getLast();
    }

    /** Types of the operands. */
    List<TensorType> types() {
        return operands.stream().map(o -> o.value().type()).toList();
    }

    /** Label of the first node, and the operators of the others. */
    String label() {
        return nodes.stream().skip(1).map(n -> "+" + n.op().name()).collect(Collectors.joining("", node().label(), ""));
    }
}

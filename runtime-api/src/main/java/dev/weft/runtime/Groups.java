package dev.weft.runtime;

import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.OpInstance;
import dev.weft.spi.NodeGroup;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Describes groups of a graph's nodes to devices. */
final class Groups {
    /** By root: nodes that read it or a view of it. */
    private final Map<Integer, Set<Node>> readers = new HashMap<>();

    private final Set<Integer> outputs = new HashSet<>();

    /**
     * A group.
     *
     * @param shape as devices see it
     * @param operands its values
     */
    record Described(NodeGroup shape, List<Step.Operand> operands) {}

    Groups(Graph graph) {
        for (Node n : graph.nodes()) {
            n.inputs()
                    .forEach(v -> readers.computeIfAbsent(v.root(), r -> new HashSet<>())
                            .add(n));
        }
        graph.outputs().values().forEach(v -> outputs.add(v.root()));
    }

    /** The group of {@code nodes}, which are in the order of the graph. */
    Described of(List<Node> nodes) {
        Set<Node> within = new HashSet<>(nodes);
        Set<Integer> made = new HashSet<>();
        for (Node n : nodes) {
            n.outputs().stream().filter(v -> v.kind() == Value.Kind.RESULT).forEach(v -> made.add(v.id()));
        }
        Map<Integer, Integer> places = new HashMap<>();
        Map<Integer, Integer> roots = new HashMap<>();
        List<Step.Operand> operands = new ArrayList<>();
        List<Integer> rootPlaces = new ArrayList<>();
        List<NodeGroup.Member> members = new ArrayList<>();
        Set<Integer> inner = new HashSet<>();
        for (Node n : nodes) {
            OpInstance instance = n.instance();
            List<Integer> where = new ArrayList<>();
            for (Value v : n.operands()) {
                if (!places.containsKey(v.id())) {
                    int place = operands.size();
                    boolean isInner = made.contains(v.root())
                            && !outputs.contains(v.root())
                            && within.containsAll(readers.getOrDefault(v.root(), Set.of()));
                    if (isInner) {
                        inner.add(place);
                    }
                    places.put(v.id(), place);
                    roots.putIfAbsent(v.root(), place);
                    rootPlaces.add(roots.get(v.root()));
                    operands.add(new Step.Operand(v, instance, where.size(), isInner));
                }
                where.add(places.get(v.id()));
            }
            members.add(new NodeGroup.Member(instance, where));
        }
        List<TensorType> types = operands.stream().map(o -> o.value().type()).toList();
        return new Described(new NodeGroup(members, types, rootPlaces, inner), operands);
    }
}

package dev.weft.graph;

import dev.weft.Dim;
import java.util.List;
import java.util.Map;

/**
 * An immutable program of operators in execution order, with inputs, weights, states and outputs.
 *
 * <p>States are first-class: a node that updates one yields a new version of it, and using an older version afterwards is
 * refused while building. Named dimensions have bounds; memory is planned for the upper ones.
 */
public final class Graph {
    private final String name;
    private final List<Value> values;
    private final List<Node> nodes;
    private final Map<String, Value> outputs;
    private final Map<String, Dim> dims;

    Graph(String name, List<Value> values, List<Node> nodes, Map<String, Value> outputs, Map<String, Dim> dims) {
        this.name = name;
        this.values = List.copyOf(values);
        this.nodes = List.copyOf(nodes);
        this.outputs = java.util.Collections.unmodifiableMap(new java.util.LinkedHashMap<>(outputs));
        this.dims = java.util.Collections.unmodifiableMap(new java.util.LinkedHashMap<>(dims));
    }

    /** A builder of a graph called {@code name}. */
    public static GraphBuilder builder(String name) {
        return new GraphBuilder(name);
    }

    /** The graph's name. */
    public String name() {
        return name;
    }

    /** Nodes in execution order. */
    public List<Node> nodes() {
        return nodes;
    }

    /** All values, index equal to {@link Value#id}. */
    public List<Value> values() {
        return values;
    }

    /** Values of one kind, in order of declaration. */
    public List<Value> values(Value.Kind kind) {
        return values.stream().filter(v -> v.kind() == kind).toList();
    }

    /** Outputs by name, in order of declaration. */
    public Map<String, Value> outputs() {
        return outputs;
    }

    /** Named dimensions with their bounds. */
    public Map<String, Dim> dims() {
        return dims;
    }

    /** The graph as text, a line per node. */
    public String text() {
        return GraphPrinter.text(this);
    }

    /** The graph as JSON. */
    public String json() {
        return GraphPrinter.json(this);
    }

    /** The graph in the dot language of Graphviz. */
    public String dot() {
        return GraphPrinter.dot(this);
    }

    @Override
    public String toString() {
        return "graph " + name + " (" + nodes.size() + " nodes)";
    }
}

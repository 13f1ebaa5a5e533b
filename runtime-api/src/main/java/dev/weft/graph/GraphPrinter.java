package dev.weft.graph;

import java.util.stream.Collectors;

/** Prints graphs as text, JSON and Graphviz. */
final class GraphPrinter {
    private GraphPrinter() {}

    static String text(Graph g) {
        StringBuilder s = new StringBuilder("graph " + g.name() + "\n");
        g.dims()
                .values()
                .forEach(d -> s.append("  dim ")
                        .append(d.name())
                        .append(" in [")
                        .append(d.min())
                        .append(", ")
                        .append(d.max())
                        .append("]\n"));
        for (Value v : g.values()) {
            if (isSource(v)) {
                s.append("  ")
                        .append(v.kind().name().toLowerCase(java.util.Locale.ROOT))
                        .append(' ')
                        .append(v)
                        .append('\n');
            }
        }
        for (Node n : g.nodes()) {
            s.append("  ")
                    .append(n.outputs().stream().map(Value::toString).collect(Collectors.joining(", ")))
                    .append(" = ")
                    .append(n.op())
                    .append(n.inputs().stream().map(Value::name).collect(Collectors.joining(", ", " (", ")")))
                    .append('\n');
        }
        g.outputs()
                .forEach((name, v) -> s.append("  output ")
                        .append(name)
                        .append(" = ")
                        .append(v.name())
                        .append('\n'));
        return s.toString();
    }

    static String json(Graph g) {
        String values = g.values().stream()
                .map(v -> "{\"name\":" + quote(v.name()) + ",\"kind\":\"" + v.kind() + "\",\"type\":"
                        + quote(v.type().toString()) + "}")
                .collect(Collectors.joining(",", "[", "]"));
        String nodes = g.nodes().stream()
                .map(n -> "{\"label\":" + quote(n.label()) + ",\"op\":" + quote(n.op().name()) + ",\"attributes\":"
                        + quote(n.op().toString()) + ",\"inputs\":" + ids(n.inputs()) + ",\"outputs\":"
                        + ids(n.outputs()) + "}")
                .collect(Collectors.joining(",", "[", "]"));
        String outputs = g.outputs().entrySet().stream()
                .map(e -> quote(e.getKey()) + ":" + e.getValue().id())
                .collect(Collectors.joining(",", "{", "}"));
        return "{\"name\":" + quote(g.name()) + ",\"values\":" + values + ",\"nodes\":" + nodes + ",\"outputs\":"
                + outputs + "}";
    }

    static String dot(Graph g) {
        StringBuilder s = new StringBuilder("digraph " + quote(g.name()) + " {\n  rankdir=TB;\n");
        for (Value v : g.values()) {
            if (isSource(v)) {
                s.append("  v")
                        .append(v.id())
                        .append(" [shape=box,label=")
                        .append(quote(v.toString()))
                        .append("];\n");
            }
        }
        int[] producer = new int[g.values().size()];
        java.util.Arrays.fill(producer, -1);
        int[] root = g.values().stream()
                .mapToInt(v -> v.kind() == Value.Kind.VIEW ? v.root() : v.id())
                .toArray();
        for (Node n : g.nodes()) {
            s.append("  n")
                    .append(n.index())
                    .append(" [label=")
                    .append(quote(n.label()))
                    .append("];\n");
            for (Value in : n.inputs()) {
                int source = root[in.id()];
                String from = producer[source] < 0 ? "v" + source : "n" + producer[source];
                s.append("  ").append(from).append(" -> n").append(n.index()).append(";\n");
            }
            n.outputs().forEach(out -> producer[out.id()] = n.index());
        }
        return s.append("}\n").toString();
    }

    private static boolean isSource(Value v) {
        return v.kind() == Value.Kind.INPUT || v.kind() == Value.Kind.WEIGHT || v.kind() == Value.Kind.STATE;
    }

    private static String ids(java.util.List<Value> values) {
        return values.stream().map(v -> Integer.toString(v.id())).collect(Collectors.joining(",", "[", "]"));
    }

    private static String quote(String s) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}

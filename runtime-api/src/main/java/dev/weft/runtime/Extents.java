package dev.weft.runtime;

import dev.weft.Dim;
import dev.weft.GraphException;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.op.Collective;
import dev.weft.spi.KernelArguments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Named dimensions of one execution: what each is bound to and which operand extents follow it. Not thread-safe. */
final class Extents {
    private static final long UNBOUND = -1;

    private final Graph graph;
    private final Map<String, Bound> dims = new LinkedHashMap<>();
    private final List<String> names;
    private int version;

    /** An operand whose first extent follows a named dimension. */
    private record Follower(KernelArguments arguments, int operand, Dim dim) {}

    private static final class Bound {
        private final Dim dim;
        private final List<Follower> followers = new ArrayList<>();
        /** Label of the node that binds it, empty for one that the caller binds. */
        private String binder = "";

        private long extent = UNBOUND;

        Bound(Dim dim) {
            this.dim = dim;
        }
    }

    Extents(Graph graph) {
        this.graph = graph;
        graph.dims().forEach((name, dim) -> dims.put(name, new Bound(dim)));
        for (Node node : graph.nodes()) {
            if (node.op() instanceof Collective c) {
                c.binds().ifPresent(dim -> boundBy(node, dim));
            }
        }
        this.names = dims.values().stream()
                .filter(b -> b.binder.isEmpty())
                .map(b -> b.dim.name())
                .toList();
    }

    private void boundBy(Node node, Dim dim) {
        Bound b = dims.get(dim.name());
        if (b != null) {
            b.binder = node.label();
        }
    }

    /** Makes the first extent of an operand follow {@code dim}, a multiple of a named dimension. */
    void follow(Dim dim, KernelArguments arguments, int operand) {
        dims.get(dim.name()).followers.add(new Follower(arguments, operand, dim));
    }

    /** As {@link #follow(Dim, KernelArguments, int)}, for all of the arguments that have such an extent. */
    void follow(List<TensorType> types, KernelArguments arguments) {
        for (int i = 0; i < types.size(); i++) {
            Shape shape = types.get(i).shape();
            if (shape.rank() > 0 && !shape.dim(0).isFixed()) {
                follow(shape.dim(0), arguments, i);
            }
        }
    }

    /** Refuses a name or an extent that the graph does not have. */
    void check(String name, long extent) {
        Bound b = dims.get(name);
        if (b == null) {
            throw new GraphException("dimension '" + name + "': graph " + graph.name() + " has only " + dims.keySet());
        }
        if (!b.binder.isEmpty()) {
            throw new GraphException("dimension '" + name + "': is bound by node " + b.binder + " while a run goes on");
        }
        if (extent < b.dim.min() || extent > b.dim.max()) {
            throw new GraphException("dimension '" + name + "': found " + extent + ", expected " + b.dim.min() + " to "
                    + b.dim.max() + "; compile the graph with other bounds");
        }
    }

    /** Binds a checked name; says whether that changed anything. */
    boolean bind(String name, long extent) {
        Bound b = dims.get(name);
        if (b.extent == extent) {
            return false;
        }
        b.extent = extent;
        version++;
        for (Follower f : b.followers) {
            f.arguments().extent(f.operand(), 0, f.dim().at(extent));
        }
        return true;
    }

    /** Whether a node binds a dimension of the type, anew in every run. */
    boolean areLate(TensorType type) {
        return type.shape().dims().stream()
                .anyMatch(d -> !d.isFixed() && !dims.get(d.name()).binder.isEmpty());
    }

    /** What a dimension is bound to. @throws GraphException if it is not */
    long at(String name) {
        Bound b = dims.get(name);
        if (b.extent == UNBOUND) {
            throw new GraphException(
                    "dimension '" + name + "' is not bound: call bind(\"" + name + "\", extent) first");
        }
        return b.extent;
    }

    /** @throws GraphException if a dimension that no node binds is not bound */
    void requireAll() {
        for (int i = 0; i < names.size(); i++) {
            at(names.get(i));
        }
    }

    /** Changes with every change of an extent. */
    int version() {
        return version;
    }

    /** As in {@code tokens=3, sequences=1}. */
    @Override
    public String toString() {
        return dims.entrySet().stream()
                .map(d -> d.getKey() + "=" + d.getValue().extent)
                .collect(Collectors.joining(", "));
    }
}

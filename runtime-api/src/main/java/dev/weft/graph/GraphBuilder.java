package dev.weft.graph;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.GraphException;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.Add;
import dev.weft.op.Gather;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.RmsNorm;
import dev.weft.op.SwiGlu;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Builds a {@link Graph} in execution order. Shapes and dtypes are checked as nodes are added, so a mistake is reported
 * at the line that makes it. Used by one thread.
 */
public final class GraphBuilder {
    private final String name;
    private final List<Value> values = new ArrayList<>();
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, Value> outputs = new LinkedHashMap<>();
    private final Map<String, Dim> dims = new LinkedHashMap<>();
    private final Map<Integer, Integer> currentVersion = new LinkedHashMap<>();
    private final Set<String> names = new HashSet<>();
    private String scope = "";

    GraphBuilder(String name) {
        this.name = name;
    }

    /** A value fed at each run. */
    public Value input(String name, TensorType type) {
        return declare(name, Value.Kind.INPUT, type);
    }

    /** A value loaded once, of fixed extents. */
    public Value weight(String name, TensorType type) {
        requireFixed(name, type);
        return declare(name, Value.Kind.WEIGHT, type);
    }

    /** A value kept between runs, of fixed extents, updated in place by operators that say so. */
    public Value state(String name, TensorType type) {
        requireFixed(name, type);
        Value v = declare(name, Value.Kind.STATE, type);
        currentVersion.put(v.id(), v.id());
        return v;
    }

    /** Adds a node with one result. */
    public Value node(Op op, Value... inputs) {
        List<Value> results = nodes(op, inputs);
        if (results.size() != 1) {
            throw new GraphException(op.name() + " has " + results.size() + " results: use nodes(...)");
        }
        return results.getFirst();
    }

    /** Adds a node. */
    public List<Value> nodes(Op op, Value... inputs) {
        List<Value> in = List.of(inputs);
        in.forEach(this::requireUsable);
        List<TensorType> types = op.infer(in.stream().map(Value::type).toList());
        String label = scope + op.name();
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            String resultName = unique(types.size() == 1 ? label : label + "." + i);
            int updated = op.updates(i);
            out.add(
                    updated < 0
                            ? add(resultName, Value.Kind.RESULT, types.get(i), -1)
                            : update(resultName, in.get(updated)));
        }
        nodes.add(new Node(nodes.size(), out.getFirst().name(), op, in, out));
        return out;
    }

    /**
     * The same elements in another shape, without a copy and without a node. The first axes must be equal, or the new one a
     * multiple of the old.
     */
    public Value reshape(Value x, Shape shape) {
        requireUsable(x);
        boolean movable = x.kind() != Value.Kind.WEIGHT
                && !x.isState()
                && x.type().scaling().isNone();
        boolean ranked = shape.rank() > 0 && x.type().shape().rank() > 0;
        TensorType type = x.type().shaped(shape);
        if (!movable
                || !ranked
                || !isMultiple(shape.dim(0), x.type().shape().dim(0))
                || type.maxElements() != x.type().maxElements()) {
            throw new GraphException("graph " + name + ": '" + x + "' cannot be seen as " + shape
                    + ": expected an unscaled input or result with the same first axis, or one that the new one is a"
                    + " multiple of, and the same element count");
        }
        return add(unique(x.name() + "/view"), Value.Kind.VIEW, type, x.root());
    }

    private static boolean isMultiple(Dim d, Dim of) {
        long n = of.isFixed() ? d.offset() / Math.max(1, of.offset()) : d.factor() / of.factor();
        return d.equals(of) || n > 0 && d.equals(of.times(n));
    }

    /** Marks a value as an output. */
    public GraphBuilder output(String name, Value value) {
        requireUsable(value);
        if (value.kind() == Value.Kind.WEIGHT) {
            throw new GraphException("graph " + this.name + ": output '" + name + "' is weight '" + value.name()
                    + "', expected a value that a run computes");
        }
        if (outputs.putIfAbsent(name, value) != null) {
            throw new GraphException("graph " + this.name + ": output '" + name + "' is already there");
        }
        return this;
    }

    /** Runs {@code body} with {@code name.} in front of node names. */
    public <T> T scope(String name, Supplier<T> body) {
        String outer = scope;
        scope = outer + name + ".";
        try {
            return body.get();
        } finally {
            scope = outer;
        }
    }

    /** The finished graph. @throws GraphException if it has no output and updates no state */
    public Graph build() {
        outputs.forEach((output, v) -> requireUsable(v)); // a state output must be its last version
        boolean updates = values.stream().anyMatch(v -> v.kind() == Value.Kind.UPDATE);
        if (outputs.isEmpty() && !updates) {
            throw new GraphException("graph " + name + ": found no output and no state update, expected one");
        }
        return new Graph(name, values, nodes, outputs, dims);
    }

    /** {@link Gemm} with a result of x's dtype, or F32 for quantised x. */
    public Value gemm(Value x, Value w) {
        DType t = x.type().dtype();
        return node(new Gemm(t == DType.BF16 ? DType.BF16 : DType.F32), x, w);
    }

    /** {@link Gemm} with a result of dtype {@code out}. */
    public Value gemm(Value x, Value w, DType out) {
        return node(new Gemm(out), x, w);
    }

    /** {@link RmsNorm}. */
    public Value rmsNorm(Value x, Value w, float eps) {
        return node(new RmsNorm(eps), x, w);
    }

    /** {@link SwiGlu} without clamp and row weights. */
    public Value swiGlu(Value gate, Value up) {
        return node(new SwiGlu(Float.POSITIVE_INFINITY, false), gate, up);
    }

    /** {@link Add}. */
    public Value add(Value a, Value b) {
        return node(new Add(), a, b);
    }

    /** {@link Gather} as token embedding. */
    public Value embedding(Value table, Value ids) {
        return node(new Gather(table.type().dtype()), table, ids);
    }

    private Value declare(String name, Value.Kind kind, TensorType type) {
        if (!names.add(name)) {
            throw new GraphException("graph " + this.name + ": '" + name + "' is already there");
        }
        return add(name, kind, type, -1);
    }

    private Value update(String name, Value previous) {
        if (!previous.isState()) {
            throw new GraphException(
                    "graph " + this.name + ": '" + previous.name() + "' is updated in place but is not a state");
        }
        Value v = add(name, Value.Kind.UPDATE, previous.type(), previous.root());
        currentVersion.put(previous.root(), v.id());
        return v;
    }

    private Value add(String name, Value.Kind kind, TensorType type, int root) {
        for (int axis = 0; axis < type.shape().rank(); axis++) {
            Dim d = type.shape().dim(axis);
            if (!d.isFixed() && axis > 0) {
                throw new GraphException("graph " + this.name + ": '" + name + "' " + type
                        + ": only the first axis may be a named dimension");
            }
            if (!d.isFixed()) {
                checkBounds(name, d);
            }
        }
        int id = values.size();
        Value v = new Value(id, name, kind, type, root < 0 ? id : root);
        values.add(v);
        return v;
    }

    private void checkBounds(String name, Dim d) {
        Dim plain = Dim.named(d.name(), d.min(), d.max());
        Dim known = dims.putIfAbsent(d.name(), plain);
        if (known != null && !known.equals(plain)) {
            throw new GraphException("graph " + this.name + ": '" + name + "' uses dimension " + d.name() + " in ["
                    + d.min() + ", " + d.max() + "], elsewhere it is in [" + known.min() + ", " + known.max() + "]");
        }
    }

    private void requireUsable(Value v) {
        if (v.id() >= values.size() || values.get(v.id()) != v) {
            throw new GraphException("graph " + name + ": value '" + v.name() + "' belongs to another graph");
        }
        Integer current = currentVersion.get(v.root());
        if (current != null && current != v.id()) {
            throw new GraphException(
                    "graph " + name + ": state '" + values.get(v.root()).name() + "' was updated by '"
                            + values.get(current).name() + "': use that value instead of '" + v.name() + "'");
        }
    }

    private void requireFixed(String name, TensorType type) {
        if (!type.shape().isFixed()) {
            throw new GraphException("graph " + this.name + ": '" + name + "' " + type + ": expected fixed extents");
        }
    }

    private String unique(String wanted) {
        String candidate = wanted;
        for (int i = 2; !names.add(candidate); i++) {
            candidate = wanted + "#" + i;
        }
        return candidate;
    }
}

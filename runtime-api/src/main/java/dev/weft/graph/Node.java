package dev.weft.graph;

import dev.weft.TensorType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.stream.Stream;

/**
 * A step of a graph.
 *
 * @param index position in execution order
 * @param label scope and operator, for people: {@code layers.3.attn/gemm}
 * @param op the operator
 * @param inputs operands in the operator's order
 * @param outputs results
 */
public record Node(int index, String label, Op op, List<Value> inputs, List<Value> outputs) {
    public Node {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    /** The operator with its operand types, as backends are asked about it. */
    public OpInstance instance() {
        return new OpInstance(op, types(inputs), types(outputs));
    }

    /** Inputs, then outputs. */
    public List<Value> operands() {
        return Stream.concat(inputs.stream(), outputs.stream()).toList();
    }

    private static List<TensorType> types(List<Value> values) {
        return values.stream().map(Value::type).toList();
    }
}

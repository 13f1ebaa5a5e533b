package dev.weft.op;

import dev.weft.TensorType;
import java.util.ArrayList;
import java.util.List;

/**
 * An operator with the types of its operands and results: what a backend is asked whether it can run.
 *
 * @param op the contract with its attributes
 * @param inputs operand types, in the order of {@link Op#operands}
 * @param outputs result types as inferred
 */
public record OpInstance(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    public OpInstance {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    /** An instance with inferred results. @throws dev.weft.WeftException if the operands break the contract */
    public static OpInstance of(Op op, List<TensorType> inputs) {
        return new OpInstance(op, inputs, op.infer(inputs));
    }

    /** Operands followed by results. */
    public List<TensorType> all() {
        List<TensorType> all = new ArrayList<>(inputs);
        all.addAll(outputs);
        return all;
    }

    @Override
    public String toString() {
        return op + " " + inputs + " -> " + outputs;
    }
}

package dev.weft.reference;

import dev.weft.TensorType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Runs the reference kernel of an operator on operands in host memory. */
final class RefRun {
    private RefRun() {}

    /** Results of one call; a result that updates an operand in place is that operand. */
    static List<Operand> all(Op op, Operand... in) {
        OpInstance instance = OpInstance.of(op, Stream.of(in).map(Operand::type).toList());
        List<Operand> bound = new ArrayList<>(List.of(in));
        for (int i = 0; i < instance.outputs().size(); i++) {
            TensorType type = instance.outputs().get(i);
            bound.add(op.updates(i) >= 0 ? in[op.updates(i)] : Operand.zeros(type));
        }
        try (Arena arena = Arena.ofConfined()) {
            KernelArguments arguments = new KernelArguments(instance.all(), arena);
            for (int i = 0; i < bound.size(); i++) {
                arguments.bind(
                        i, bound.get(i).data().address(), bound.get(i).scales().address());
            }
            Reference.run(instance, arguments);
        }
        return bound.subList(in.length, bound.size());
    }

    /** The first result of one call. */
    static Operand one(Op op, Operand... in) {
        return all(op, in).getFirst();
    }
}

package dev.weft.backend.ascend.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AbiFunction;
import dev.weft.backend.ascend.abi.AbiParameter;
import dev.weft.backend.ascend.abi.AbiTable;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What candidates write, held against the table of C functions: no device needed. */
class EmissionTest {
    private static final AbiTable TABLE = AbiTable.load();

    /** Parameters after the operator's own: workspace size and executor. */
    private static final int PROTOCOL = 2;

    @TestFactory
    Stream<DynamicTest> argumentsFitTheTable() {
        Map<String, List<OpCase>> cases = OpCases.byOperator();
        return cases.entrySet().stream()
                .filter(entry ->
                        !AscendOps.candidates(entry.getValue().getFirst().op()).isEmpty())
                .map(entry -> DynamicTest.dynamicTest(
                        entry.getKey(), () -> entry.getValue().forEach(c -> check(c.instance()))));
    }

    private static void check(OpInstance op) {
        for (Candidate candidate : AscendOps.candidates(op.op())) {
            for (Profile p : Profile.values()) {
                if (candidate.refuse(op, p).isEmpty()) {
                    Checked checked = new Checked(op, p, candidate.functions(op));
                    candidate.emit(op, checked);
                }
            }
        }
    }

    @Test
    void theLastCandidateOfEveryOperatorIsAComposite() {
        Map<String, List<OpCase>> cases = OpCases.byOperator();
        for (List<OpCase> some : cases.values()) {
            Op op = some.getFirst().op();
            List<Candidate> candidates = AscendOps.candidates(op);
            if (!candidates.isEmpty()) {
                assertThat(candidates.getLast().isComposite()).as(op.name()).isTrue();
            }
        }
    }

    /** Checks each call as it is written. */
    private record Checked(OpInstance op, Profile profile, List<String> functions) implements Emit {
        private static final long PLACE = 1L << 20;

        @Override
        public Ten operand(int i) {
            TensorType t = op.all().get(i);
            return Ten.dense(PLACE * (i + 1), AclType.of(t.dtype()), t.shape().maximum());
        }

        @Override
        public Ten scales(int i) {
            TensorType t = op.all().get(i);
            long[] dims = t.scaling().scaleDims(t.shape().maximum());
            return Ten.dense(PLACE * (i + 1) + PLACE / 2, AclType.UINT8, dims);
        }

        @Override
        public Ten spare(int i) {
            Ten state = operand(i);
            return Ten.dense(state.address(), state.type(), state.elements() / state.dim(-1) + 1, state.dim(-1));
        }

        @Override
        public Ten temp(AclType type, long... dims) {
            return Ten.dense(PLACE << 20, type, dims);
        }

        @Override
        public Ten constant(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
            Ten t = Ten.dense(PLACE << 21, type, dims);
            try (Arena arena = Arena.ofConfined()) {
                fill.accept(arena.allocate(Math.max(1, type.bytes(t.elements()))));
            }
            return t;
        }

        @Override
        public void call(String function, Object... arguments) {
            assertThat(functions).as(op + " calls what it declares").contains(function);
            AbiFunction row = TABLE.function(function + "GetWorkspaceSize");
            List<AbiParameter> parameters =
                    row.parameters().subList(0, row.parameters().size() - PROTOCOL);
            assertThat(arguments)
                    .as(op + ": " + function + " takes " + parameters)
                    .hasSameSizeAs(parameters);
            for (int i = 0; i < arguments.length; i++) {
                check(function, parameters.get(i), arguments[i]);
            }
        }

        private void check(String function, AbiParameter parameter, Object argument) {
            String type = parameter
                    .type()
                    .text()
                    .replace("const", "")
                    .replace("*", "")
                    .trim();
            boolean fits = switch (argument) {
                case null -> parameter.type().text().contains("*");
                case Ten t -> type.equals("aclTensor");
                case List<?> l -> type.equals("aclTensorList");
                case Scalar s -> type.equals("aclScalar");
                case long[] l -> type.equals("aclIntArray");
                case AclType t -> type.equals("aclDataType");
                case Boolean b -> type.equals("bool");
                case String s -> type.equals("char");
                case Double d -> type.equals("double");
                case Float f -> type.equals("float") || type.equals("double");
                case Number n -> type.startsWith("int") || type.startsWith("uint");
                default -> false;
            };
            assertThat(fits)
                    .as(op + ": " + function + ": parameter " + parameter + " gets " + text(argument))
                    .isTrue();
        }

        private static String text(Object argument) {
            return argument instanceof long[] l
                    ? Arrays.toString(l)
                    : argument instanceof List<?> l
                            ? l.stream().map(Object::toString).collect(Collectors.joining(", "))
                            : String.valueOf(argument);
        }
    }
}

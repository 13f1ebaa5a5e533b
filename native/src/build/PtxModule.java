import java.util.List;

/** A PTX text as its statements. Names are as in the text. */
record PtxModule(List<Variable> variables, List<Entry> entries) {

    /** A variable of the state space {@code .shared} or {@code .global}. */
    record Variable(String space, int alignment, int bytes, String name, boolean isExternal) {}

    /** @param threads the most that a block may have */
    record Entry(String name, int parameterBytes, int threads, List<Statement> body) {
        String parameter() {
            return name + "_param_0";
        }
    }

    sealed interface Statement permits Label, Brace, Registers, Demoted, Instruction {}

    record Label(String name) implements Statement {}

    /** Begins or ends a scope of registers. */
    record Brace(boolean isOpen) implements Statement {}

    /** @param type such as {@code b32}; {@code name} and, if {@code count} is not -1, so many of them, numbered */
    record Registers(String type, String name, int count) implements Statement {}

    /** A shared variable that only this entry uses. */
    record Demoted(Variable variable) implements Statement {}

    /** @param guard a predicate, with {@code !} before it if it must not hold; empty for none */
    record Instruction(int line, String guard, List<String> opcode, List<Operand> operands) implements Statement {
        String name() {
            return String.join(".", opcode);
        }

        PtxException error(String what) {
            return new PtxException(line, name() + ": " + what);
        }
    }

    sealed interface Operand permits Name, Number, Group, Pair, Address {}

    /** A register, also a special one, a variable or a label. */
    record Name(String text) implements Operand {}

    /** An integer, or the bits of a float after {@code 0f} or {@code 0d}. */
    record Number(String text) implements Operand {}

    record Group(List<Operand> parts) implements Operand {}

    /** A result and the predicate that comes with it. */
    record Pair(Name value, Name predicate) implements Operand {}

    record Address(Operand base, long offset) implements Operand {}
}

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An entry of PTX as a C++ function of the emulator: registers are its local variables, labels are labels. Shared memory lies
 * as on a device: addresses of 32 bits, first the driver's 1024 bytes, then the variables of the entry, then dynamic memory.
 */
final class PtxFunction {
    private static final int DRIVERS_SHARED_BYTES = 1024;
    private static final int DYNAMIC_ALIGNMENT = 1024;
    private static final int CALL_BYTES = 1208;

    private final PtxModule.Entry entry;
    private final Map<String, PtxModule.Variable> moduleVariables = new HashMap<>();
    private final Map<String, Integer> sharedAddresses = new LinkedHashMap<>();
    private final Map<String, String> registerTypes = new HashMap<>();
    /** Registers that products of warpgroups read or write later than their instruction, by their place in an array. */
    private final Map<String, Integer> heldSums = new LinkedHashMap<>();

    private final Map<String, Integer> heldFactors = new LinkedHashMap<>();
    private int staticBytes;
    private boolean hasPrefetches;

    private PtxFunction(PtxModule module, PtxModule.Entry entry) {
        this.entry = entry;
        module.variables().forEach(v -> moduleVariables.put(v.name(), v));
        for (PtxModule.Statement statement : entry.body()) {
            switch (statement) {
                case PtxModule.Registers r -> declare(r);
                case PtxModule.Demoted d -> place(d.variable());
                case PtxModule.Instruction i -> look(i);
                default -> {}
            }
        }
    }

    /** The function and its registration. */
    static String translate(PtxModule module, PtxModule.Entry entry) {
        return new PtxFunction(module, entry).text();
    }

    // what there is

    private void declare(PtxModule.Registers r) {
        String type = PtxTypes.cType(r.type());
        if (r.count() < 0) {
            registerTypes.put(r.name(), type);
        }
        for (int i = 0; i < r.count(); i++) {
            registerTypes.put(r.name() + i, type);
        }
    }

    private void place(PtxModule.Variable variable) {
        staticBytes = roundUp(staticBytes, variable.alignment());
        sharedAddresses.put(variable.name(), DRIVERS_SHARED_BYTES + staticBytes);
        staticBytes += variable.bytes();
    }

    /** Gives shared variables of the module that the entry uses their places, and finds prefetches and the registers of products. */
    private void look(PtxModule.Instruction i) {
        for (PtxModule.Operand operand : i.operands()) {
            PtxModule.Operand inner = operand instanceof PtxModule.Address a ? a.base() : operand;
            if (inner instanceof PtxModule.Name name
                    && moduleVariables.get(name.text()) instanceof PtxModule.Variable v
                    && v.space().equals("shared")
                    && !v.isExternal()
                    && !sharedAddresses.containsKey(v.name())) {
                place(v);
            }
        }
        hasPrefetches |= i.opcode().contains("prefetch");
        if (i.opcode().getFirst().equals("wgmma") && i.opcode().contains("mma_async")) {
            hold(heldSums, "f32", i.operands().get(0), i);
            hold(heldFactors, "b32", i.operands().get(1), i);
        }
    }

    /** The array's type is the register's from here on: compilers may declare those of floats as {@code .b32}. */
    private void hold(Map<String, Integer> held, String type, PtxModule.Operand group, PtxModule.Instruction i) {
        if (!(group instanceof PtxModule.Group g)) {
            throw i.error("sums and A are expected in registers");
        }
        for (PtxModule.Operand part : g.parts()) {
            String name = ((PtxModule.Name) part).text();
            held.putIfAbsent(name, held.size());
            registerTypes.put(name, PtxTypes.cType(type));
        }
    }

    /** Whether the entry has products of warpgroups. */
    boolean hasProducts() {
        return !heldSums.isEmpty();
    }

    /** Whether the entry prefetches, so that what it loads is noted. */
    boolean hasPrefetches() {
        return hasPrefetches;
    }

    private static int roundUp(int value, int multiple) {
        return (value + multiple - 1) / multiple * multiple;
    }

    // text

    private String text() {
        int dynamicAt = DRIVERS_SHARED_BYTES + roundUp(staticBytes, DYNAMIC_ALIGNMENT);
        StringBuilder out = new StringBuilder();
        out.append("static void ").append(entry.name()).append("(const Call &call) {\n");
        out.append("    const u64 ").append(entry.parameter()).append(" = address(&call);\n");
        out.append("    const u64 shared = address(simt::shared_memory()) - " + dynamicAt + ";\n");
        sharedAddresses.forEach((name, at) -> out.append("    const u32 " + name + " = " + at + ";\n"));
        for (PtxModule.Variable v : moduleVariables.values()) {
            if (v.space().equals("shared") && v.isExternal()) {
                out.append("    const u32 " + v.name() + " = " + dynamicAt + ";\n");
            }
        }
        declareLocals(out);
        out.append(hasProducts() ? "    simt::expect_products();\n" : "");
        out.append(hasPrefetches ? "    simt::expect_prefetches();\n" : "");
        for (PtxModule.Statement statement : entry.body()) {
            switch (statement) {
                case PtxModule.Label l -> out.append(l.name()).append(":;\n");
                case PtxModule.Brace b -> out.append(b.isOpen() ? "{\n" : "}\n");
                case PtxModule.Registers r
                when r.count() < 0 -> out.append(PtxTypes.cType(r.type()) + " " + identifier(r.name()) + ";\n");
                case PtxModule.Instruction i -> {
                    String code = translated(i);
                    out.append("    ").append(i.guard().isEmpty() ? code : "if (" + guard(i) + ") { " + code + " }");
                    out.append("\n");
                }
                default -> {}
            }
        }
        out.append("}\n");
        out.append("static const simt::Registration ").append(entry.name()).append("_registration(\"");
        out.append(entry.name())
                .append("\", ")
                .append(entry.threads())
                .append(", ")
                .append(entry.name());
        out.append(", ")
                .append(entry.parameterBytes() / CALL_BYTES)
                .append(", ")
                .append(staticBytes)
                .append(");\n\n");
        return out.toString();
    }

    private String translated(PtxModule.Instruction i) {
        try {
            return PtxRules.translate(this, i);
        } catch (IllegalArgumentException e) {
            throw i.error(e.getMessage());
        }
    }

    private void declareLocals(StringBuilder out) {
        if (hasProducts()) {
            out.append("    float sums[" + heldSums.size() + "];\n    u32 factors[" + heldFactors.size() + "];\n");
        }
        for (PtxModule.Statement statement : entry.body()) {
            if (statement instanceof PtxModule.Registers r && r.count() > 0) {
                List<String> names = new ArrayList<>();
                for (int i = 0; i < r.count(); i++) {
                    String name = r.name() + i;
                    if (!heldSums.containsKey(name) && !heldFactors.containsKey(name)) {
                        names.add(identifier(name));
                    }
                }
                if (!names.isEmpty()) {
                    out.append("    " + PtxTypes.cType(r.type()) + " " + String.join(", ", names) + ";\n");
                }
            }
        }
    }

    private String guard(PtxModule.Instruction i) {
        boolean isNegated = i.guard().startsWith("!");
        return (isNegated ? "!" : "") + identifier(isNegated ? i.guard().substring(1) : i.guard());
    }

    private String identifier(String register) {
        if (heldSums.containsKey(register)) {
            return "sums[" + heldSums.get(register) + "]";
        }
        if (heldFactors.containsKey(register)) {
            return "factors[" + heldFactors.get(register) + "]";
        }
        return register.replace("%", "");
    }

    // operands

    /** A C++ expression of the operand's value as this type of PTX. */
    String value(PtxModule.Instruction i, PtxModule.Operand operand, String type) {
        String wanted = PtxTypes.cType(type);
        return switch (operand) {
            case PtxModule.Number n -> PtxTypes.number(i, n.text(), wanted);
            case PtxModule.Name n
            when registerTypes.containsKey(n.text()) ->
                PtxTypes.converted(identifier(n.text()), registerTypes.get(n.text()), wanted);
            case PtxModule.Name n when PtxTypes.SPECIAL.containsKey(n.text()) -> PtxTypes.SPECIAL.get(n.text());
            case PtxModule.Name n
            when sharedAddresses.containsKey(n.text()) || n.text().equals(entry.parameter()) -> n.text();
            case PtxModule.Name n
            when moduleVariables.containsKey(n.text()) ->
                moduleVariables.get(n.text()).space().equals("shared") ? n.text() : "address(" + n.text() + ")";
            default -> throw i.error("operand " + operand + " is not known");
        };
    }

    /** A C++ statement that gives the register this value. */
    String assign(PtxModule.Instruction i, PtxModule.Operand operand, String type, String value) {
        if (!(operand instanceof PtxModule.Name n) || !registerTypes.containsKey(n.text())) {
            throw i.error("the result " + operand + " is no register");
        }
        String is = PtxTypes.cType(type);
        String wanted = registerTypes.get(n.text());
        boolean isSame = is.equals(wanted);
        return identifier(n.text()) + " = " + (isSame ? value : PtxTypes.converted("(" + value + ")", is, wanted))
                + ";";
    }

    /** The host's address of what an address in this state space names; the empty one is the generic space. */
    String place(PtxModule.Instruction i, PtxModule.Operand operand, String space) {
        if (!(operand instanceof PtxModule.Address a)) {
            throw i.error("an address is expected");
        }
        String offset = a.offset() == 0 ? "" : " + " + a.offset();
        return space.equals("shared")
                ? "shared + static_cast<u32>(" + value(i, a.base(), "u32") + offset + ")"
                : value(i, a.base(), "u64") + offset;
    }

    /** The first of registers that lie one after the other in the array of sums. */
    String sums(PtxModule.Instruction i, PtxModule.Group group) {
        int first = heldSums.get(((PtxModule.Name) group.parts().getFirst()).text());
        for (int n = 0; n < group.parts().size(); n++) {
            if (heldSums.get(((PtxModule.Name) group.parts().get(n)).text()) != first + n) {
                throw i.error("sums of other products in another order are not translated");
            }
        }
        return "sums + " + first;
    }

    String addressOf(PtxModule.Operand register) {
        return "&" + identifier(((PtxModule.Name) register).text());
    }
}

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What each instruction becomes. The regular ones are rows of a table: the name without the type, and the C++ of the result,
 * in which {@code $1}, {@code $2}, {@code $3} are the factors in the instruction's type, {@code #2} is one as u32 and
 * {@code ?3} one as a predicate. What is not in the table is looked for among the families of memory and of groups of threads.
 */
final class PtxRules {
    private static final Map<String, String> INTEGERS = Map.ofEntries(
            Map.entry("mov", "$1"),
            Map.entry("selp", "?3 ? $1 : $2"),
            Map.entry("add", "$1 + $2"),
            Map.entry("sub", "$1 - $2"),
            Map.entry("mul.lo", "$1 * $2"),
            Map.entry("mul.hi", "mul_hi($1, $2)"),
            Map.entry("mad.lo", "$1 * $2 + $3"),
            Map.entry("neg", "-$1"),
            Map.entry("abs", "abs($1)"),
            Map.entry("min", "min($1, $2)"),
            Map.entry("max", "max($1, $2)"),
            Map.entry("div", "div($1, $2)"),
            Map.entry("rem", "rem($1, $2)"),
            Map.entry("and", "$1 & $2"),
            Map.entry("or", "$1 | $2"),
            Map.entry("xor", "$1 ^ $2"),
            Map.entry("not", "~$1"),
            Map.entry("shl", "shl($1, #2)"),
            Map.entry("shr", "shr($1, #2)"),
            Map.entry("setp.eq", "$1 == $2"),
            Map.entry("setp.ne", "$1 != $2"),
            Map.entry("setp.lt", "$1 < $2"),
            Map.entry("setp.le", "$1 <= $2"),
            Map.entry("setp.gt", "$1 > $2"),
            Map.entry("setp.ge", "$1 >= $2"),
            Map.entry("prmt", "prmt($1, $2, $3)"),
            Map.entry("bfi", "bfi($1, $2, #3, #4)"),
            Map.entry("bfe", "bfe($1, #2, #3)"),
            Map.entry("brev", "brev($1)"),
            Map.entry("bfind.shiftamt", "bfind_shiftamt($1)"),
            Map.entry("popc", "popc($1)"),
            Map.entry("clz", "clz($1)"));

    private static final Map<String, String> FLOATS = Map.ofEntries(
            Map.entry("mov", "$1"),
            Map.entry("selp", "?3 ? $1 : $2"),
            Map.entry("add.rn", "$1 + $2"),
            Map.entry("sub.rn", "$1 - $2"),
            Map.entry("mul.rn", "$1 * $2"),
            Map.entry("fma.rn", "fma($1, $2, $3)"),
            Map.entry("fma.rm", "fma_down($1, $2, $3)"),
            Map.entry("div.rn", "$1 / $2"),
            Map.entry("rcp.rn", "1 / $1"),
            Map.entry("sqrt.rn", "sqrt($1)"),
            Map.entry("rcp.approx.ftz", "rcp_approx($1)"),
            Map.entry("ex2.approx", "ex2($1)"),
            Map.entry("ex2.approx.ftz", "ex2_ftz($1)"),
            Map.entry("neg", "-$1"),
            Map.entry("abs", "abs($1)"),
            Map.entry("min", "min($1, $2)"),
            Map.entry("max", "max($1, $2)"),
            Map.entry("setp.eq", "$1 == $2"),
            Map.entry("setp.ne", "$1 < $2 || $1 > $2"),
            Map.entry("setp.lt", "$1 < $2"),
            Map.entry("setp.le", "$1 <= $2"),
            Map.entry("setp.gt", "$1 > $2"),
            Map.entry("setp.ge", "$1 >= $2"),
            Map.entry("setp.equ", "!($1 < $2 || $1 > $2)"),
            Map.entry("setp.neu", "$1 != $2"),
            Map.entry("setp.ltu", "!($1 >= $2)"),
            Map.entry("setp.leu", "!($1 > $2)"),
            Map.entry("setp.gtu", "!($1 <= $2)"),
            Map.entry("setp.geu", "!($1 < $2)"),
            Map.entry("setp.num", "$1 == $1 && $2 == $2"),
            Map.entry("setp.nan", "$1 != $1 || $2 != $2"));

    private static final Map<String, String> PREDICATES = Map.of(
            "mov", "$1", "not", "!$1", "and", "$1 && $2", "or", "$1 || $2", "xor", "$1 != $2");

    private static final Map<String, String> PACKED =
            Map.of("fma.rn", "fma_bf16x2($1, $2, $3)", "mul.rn", "mul_bf16x2($1, $2)");

    /** Types of the results that are not of the instruction's type. */
    private static final Map<String, String> RESULTS = Map.of("popc", "u32", "clz", "u32", "bfind", "u32", "setp", "pred");

    /** Integers whose order does not matter are those of {@code .b}; where it does, PTX has no such instruction. */
    private static final Set<String> INTEGER_TYPES =
            Set.of("b16", "u16", "s16", "b32", "u32", "s32", "b64", "u64", "s64");

    /** Whose result does not depend on whether integers have a sign. */
    private static final Set<String> SIGNLESS =
            Set.of("mov", "selp", "add", "sub", "mul.lo", "mad.lo", "neg", "setp.eq", "setp.ne");

    private static final Map<String, Map<String, String>> BY_TYPE = byType();

    private static final Pattern FACTOR = Pattern.compile("([$#?])(\\d)");

    private PtxRules() {}

    private static Map<String, Map<String, String>> byType() {
        Map<String, Map<String, String>> out = new HashMap<>();
        INTEGER_TYPES.forEach(type -> out.put(type, INTEGERS));
        out.put("f32", FLOATS);
        out.put("f64", FLOATS);
        out.put("pred", PREDICATES);
        out.put("bf16x2", PACKED);
        return out;
    }

    static String translate(PtxFunction f, PtxModule.Instruction i) {
        String family = i.opcode().getFirst();
        String type = i.opcode().getLast();
        switch (family) {
            case "bra" -> {
                return "goto " + ((PtxModule.Name) i.operands().getFirst()).text() + ";";
            }
            case "ret", "exit" -> {
                return "return;";
            }
            case "trap" -> {
                return "trap();";
            }
            case "cvt" -> {
                return PtxConversions.translate(f, i);
            }
            case "mul" -> {
                if (i.opcode().get(1).equals("wide")) {
                    String wide = type.charAt(0) + String.valueOf(2 * Integer.parseInt(type.substring(1)));
                    String product = "mul_wide(" + f.value(i, i.operands().get(1), type) + ", "
                            + f.value(i, i.operands().get(2), type) + ")";
                    return f.assign(i, i.operands().getFirst(), wide, product);
                }
            }
            case "mov" -> {
                if (i.operands().stream().anyMatch(o -> o instanceof PtxModule.Group)) {
                    return PtxMemory.unpack(f, i);
                }
            }
            default -> {}
        }
        String name = String.join(".", i.opcode().subList(0, i.opcode().size() - 1));
        String rule = BY_TYPE.getOrDefault(type, Map.of()).get(name);
        if (rule != null) {
            type = SIGNLESS.contains(name) && type.startsWith("s") ? "u" + type.substring(1) : type;
            return f.assign(i, i.operands().getFirst(), RESULTS.getOrDefault(family, type), fill(f, i, rule, type));
        }
        String other = PtxMemory.translate(f, i);
        other = other == null ? PtxGroups.translate(f, i) : other;
        if (other == null) {
            throw i.error("this instruction is not known");
        }
        return other;
    }

    private static String fill(PtxFunction f, PtxModule.Instruction i, String rule, String type) {
        Matcher m = FACTOR.matcher(rule);
        List<PtxModule.Operand> operands = i.operands();
        StringBuilder out = new StringBuilder();
        int most = 0;
        while (m.find()) {
            int number = Integer.parseInt(m.group(2));
            most = Math.max(most, number);
            if (number >= operands.size()) {
                throw i.error("an operand is missing");
            }
            String as = m.group(1).equals("$") ? type : m.group(1).equals("#") ? "u32" : "pred";
            m.appendReplacement(out, Matcher.quoteReplacement(f.value(i, operands.get(number), as)));
        }
        if (most != operands.size() - 1) {
            throw i.error("more operands than the instruction has");
        }
        return m.appendTail(out).toString();
    }
}

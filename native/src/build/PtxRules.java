import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What each instruction becomes. The regular ones are rows of a table: types, the name without the type, and the C++ of the result,
 * in which {@code $1}, {@code $2}, {@code $3} are the factors in the instruction's type, {@code #2} is one as u32 and
 * {@code ?3} one as a predicate. What is not in the table is looked for among the families of memory and of groups of threads.
 */
final class PtxRules {
    private static final String BITS = "b16 b32 b64";
    private static final String WIDE_BITS = "b32 b64";
    private static final String SIGNED = "s16 s32 s64";
    private static final String WIDE_SIGNED = "s32 s64";
    private static final String WIDE = "u32 u64 " + WIDE_SIGNED;
    private static final String NUMBERS = "u16 u32 u64 " + SIGNED;
    private static final String INTEGERS = BITS + " " + NUMBERS;
    private static final String FLOATS = "f32 f64";

    /**
     * A row of the table.
     *
     * @param types for which its C++ is right; fewer than PTX has where no kernel needs them
     */
    private record Rule(String types, String name, String text) {}

    private static final List<Rule> RULES = List.of(
            new Rule(INTEGERS, "mov", "$1"),
            new Rule(INTEGERS, "selp", "?3 ? $1 : $2"),
            new Rule(NUMBERS, "add", "$1 + $2"),
            new Rule(NUMBERS, "sub", "$1 - $2"),
            new Rule(NUMBERS, "mul.lo", "$1 * $2"),
            new Rule(WIDE, "mul.hi", "mul_hi($1, $2)"),
            new Rule(NUMBERS, "mad.lo", "$1 * $2 + $3"),
            new Rule(SIGNED, "neg", "-$1"),
            new Rule(WIDE_SIGNED, "abs", "abs($1)"),
            new Rule(NUMBERS, "min", "min($1, $2)"),
            new Rule(NUMBERS, "max", "max($1, $2)"),
            new Rule(NUMBERS, "div", "div($1, $2)"),
            new Rule(NUMBERS, "rem", "rem($1, $2)"),
            new Rule(BITS, "and", "$1 & $2"),
            new Rule(BITS, "or", "$1 | $2"),
            new Rule(BITS, "xor", "$1 ^ $2"),
            new Rule(BITS, "not", "~$1"),
            new Rule(BITS, "shl", "shl($1, #2)"),
            new Rule(INTEGERS, "shr", "shr($1, #2)"),
            new Rule(INTEGERS, "setp.eq", "$1 == $2"),
            new Rule(INTEGERS, "setp.ne", "$1 != $2"),
            new Rule(NUMBERS, "setp.lt", "$1 < $2"),
            new Rule(NUMBERS, "setp.le", "$1 <= $2"),
            new Rule(NUMBERS, "setp.gt", "$1 > $2"),
            new Rule(NUMBERS, "setp.ge", "$1 >= $2"),
            new Rule("b32", "prmt", "prmt($1, $2, $3)"),
            new Rule(WIDE_BITS, "bfi", "bfi($1, $2, #3, #4)"),
            new Rule(WIDE, "bfe", "bfe($1, #2, #3)"),
            new Rule("b32", "brev", "brev($1)"),
            new Rule("u32", "bfind.shiftamt", "bfind_shiftamt($1)"),
            new Rule(WIDE_BITS, "popc", "popc($1)"),
            new Rule(WIDE_BITS, "clz", "clz($1)"),
            new Rule(FLOATS, "mov", "$1"),
            new Rule(FLOATS, "selp", "?3 ? $1 : $2"),
            new Rule(FLOATS, "add.rn", "canonical($1 + $2)"),
            new Rule(FLOATS, "sub.rn", "canonical($1 - $2)"),
            new Rule(FLOATS, "mul.rn", "canonical($1 * $2)"),
            new Rule(FLOATS, "fma.rn", "canonical(fma($1, $2, $3))"),
            new Rule("f32", "fma.rm", "canonical(fma_down($1, $2, $3))"),
            new Rule(FLOATS, "div.rn", "canonical($1 / $2)"),
            new Rule(FLOATS, "rcp.rn", "canonical(1 / $1)"),
            new Rule(FLOATS, "sqrt.rn", "canonical(sqrt($1))"),
            new Rule("f64", "rcp.approx.ftz", "rcp_approx($1)"),
            new Rule("f32", "ex2.approx", "ex2($1)"),
            new Rule("f32", "ex2.approx.ftz", "ex2_ftz($1)"),
            new Rule(FLOATS, "neg", "-$1"),
            new Rule(FLOATS, "abs", "abs($1)"),
            new Rule(FLOATS, "min", "canonical(min($1, $2))"),
            new Rule(FLOATS, "max", "canonical(max($1, $2))"),
            new Rule(FLOATS, "setp.eq", "$1 == $2"),
            new Rule(FLOATS, "setp.ne", "$1 < $2 || $1 > $2"),
            new Rule(FLOATS, "setp.lt", "$1 < $2"),
            new Rule(FLOATS, "setp.le", "$1 <= $2"),
            new Rule(FLOATS, "setp.gt", "$1 > $2"),
            new Rule(FLOATS, "setp.ge", "$1 >= $2"),
            new Rule(FLOATS, "setp.equ", "!($1 < $2 || $1 > $2)"),
            new Rule(FLOATS, "setp.neu", "$1 != $2"),
            new Rule(FLOATS, "setp.ltu", "!($1 >= $2)"),
            new Rule(FLOATS, "setp.leu", "!($1 > $2)"),
            new Rule(FLOATS, "setp.gtu", "!($1 <= $2)"),
            new Rule(FLOATS, "setp.geu", "!($1 < $2)"),
            new Rule(FLOATS, "setp.num", "$1 == $1 && $2 == $2"),
            new Rule(FLOATS, "setp.nan", "$1 != $1 || $2 != $2"),
            new Rule("pred", "mov", "$1"),
            new Rule("pred", "not", "!$1"),
            new Rule("pred", "and", "$1 && $2"),
            new Rule("pred", "or", "$1 || $2"),
            new Rule("pred", "xor", "$1 != $2"),
            new Rule("bf16x2", "fma.rn", "fma_bf16x2($1, $2, $3)"),
            new Rule("bf16x2", "mul.rn", "mul_bf16x2($1, $2)"));

    /** Types of the results that are not of the instruction's type. */
    private static final Map<String, String> RESULTS =
            Map.of("popc", "u32", "clz", "u32", "bfind", "u32", "setp", "pred");

    /** Whose result does not depend on whether integers have a sign. */
    private static final Set<String> SIGNLESS =
            Set.of("mov", "selp", "add", "sub", "mul.lo", "mad.lo", "neg", "setp.eq", "setp.ne");

    private static final Map<String, Map<String, String>> BY_TYPE = byType();

    private static final Pattern FACTOR = Pattern.compile("([$#?])(\\d)");

    private PtxRules() {}

    private static Map<String, Map<String, String>> byType() {
        Map<String, Map<String, String>> out = new HashMap<>();
        for (Rule rule : RULES) {
            for (String type : rule.types().split(" ")) {
                out.computeIfAbsent(type, _ -> new HashMap<>()).put(rule.name(), rule.text());
            }
        }
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

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Instructions {@code cvt}. */
final class PtxConversions {
    private static final Map<String, String> PACKED = Map.of(
            "rn.bf16x2.f32", "bf16x2($1, $2)",
            "rn.satfinite.e4m3x2.f32", "e4m3x2($1, $2)",
            "rn.f16x2.e4m3x2", "f16x2_of_e4m3x2($1)",
            "rn.f16.f32", "to_f16($1)",
            "f32.f16", "from_f16($1)",
            "sat.f32.f32", "saturated($1)");

    /** By rounding, for results that are integers in a float or integers. */
    private static final Map<String, String> ROUNDED =
            Map.of("rni", "round_even", "rzi", "round_to_zero", "rmi", "round_down", "rpi", "round_up");

    private PtxConversions() {}

    static String translate(PtxFunction f, PtxModule.Instruction i) {
        List<String> words = i.opcode().subList(1, i.opcode().size());
        String to = words.get(words.size() - 2);
        String from = words.getLast();
        List<String> modifiers = words.subList(0, words.size() - 2);
        String first = f.value(i, i.operands().get(1), from);
        String value;
        if (PACKED.containsKey(String.join(".", words))) {
            value = PACKED.get(String.join(".", words)).replace("$1", first);
            if (i.operands().size() == 3) {
                value = value.replace("$2", f.value(i, i.operands().get(2), from));
            }
        } else if (isFloat(from) && modifiers.size() == 1 && ROUNDED.containsKey(modifiers.getFirst())) {
            String rounded = ROUNDED.get(modifiers.getFirst()) + "(" + first + ")";
            if (isFloat(to) && !to.equals(from)) {
                throw i.error("not known");
            }
            value = isFloat(to) ? rounded : "to_integer<" + PtxTypes.cType(to) + ">(" + rounded + ")";
        } else if (isPlain(to, from, modifiers)) {
            value = "static_cast<" + PtxTypes.cType(to) + ">(" + first + ")";
            value = isFloat(to) && isFloat(from) ? "canonical(" + value + ")" : value;
        } else {
            throw i.error("this conversion is not known");
        }
        return f.assign(i, i.operands().getFirst(), to, value);
    }

    /** Whether C++ converts alike: integers, integers to the nearest float, and floats of f32 and f64. */
    private static boolean isPlain(String to, String from, List<String> modifiers) {
        List<String> expected = new ArrayList<>();
        if (isFloat(to) && !(isFloat(from) && to.equals("f64"))) {
            expected.add("rn");
        }
        return isNumber(to) && isNumber(from) && !(isFloat(from) && !isFloat(to)) && modifiers.equals(expected);
    }

    private static boolean isNumber(String type) {
        return type.matches("[us](8|16|32|64)|f32|f64");
    }

    private static boolean isFloat(String type) {
        return type.startsWith("f");
    }
}

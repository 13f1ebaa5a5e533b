import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** Types of PTX and how their values are written in C++. */
final class PtxTypes {
    private static final Map<String, String> C_TYPES = Map.ofEntries(
            Map.entry("pred", "bool"),
            Map.entry("b8", "u8"),
            Map.entry("u8", "u8"),
            Map.entry("s8", "s8"),
            Map.entry("b16", "u16"),
            Map.entry("u16", "u16"),
            Map.entry("s16", "s16"),
            Map.entry("f16", "u16"),
            Map.entry("e4m3x2", "u16"),
            Map.entry("b32", "u32"),
            Map.entry("u32", "u32"),
            Map.entry("s32", "s32"),
            Map.entry("bf16x2", "u32"),
            Map.entry("f16x2", "u32"),
            Map.entry("f32", "float"),
            Map.entry("b64", "u64"),
            Map.entry("u64", "u64"),
            Map.entry("s64", "s64"),
            Map.entry("f64", "double"));

    /** Registers of the machine. */
    static final Map<String, String> SPECIAL = Map.ofEntries(
            Map.entry("%tid.x", "threadIdx.x"),
            Map.entry("%tid.y", "threadIdx.y"),
            Map.entry("%tid.z", "threadIdx.z"),
            Map.entry("%ntid.x", "blockDim.x"),
            Map.entry("%ntid.y", "blockDim.y"),
            Map.entry("%ntid.z", "blockDim.z"),
            Map.entry("%ctaid.x", "blockIdx.x"),
            Map.entry("%ctaid.y", "blockIdx.y"),
            Map.entry("%ctaid.z", "blockIdx.z"),
            Map.entry("%nctaid.x", "gridDim.x"),
            Map.entry("%nctaid.y", "gridDim.y"),
            Map.entry("%nctaid.z", "gridDim.z"),
            Map.entry("%laneid", "simt::lane()"),
            Map.entry("%globaltimer", "simt::nanoseconds()"));

    private PtxTypes() {}

    static String cType(String type) {
        String found = C_TYPES.get(type);
        if (found == null) {
            throw new IllegalArgumentException(
                    "type ." + type + " is not known; known are " + new TreeSet<>(C_TYPES.keySet()));
        }
        return found;
    }

    /** A register of one C++ type as another; bits stay as they are where one of them is a float. */
    static String converted(String name, String is, String wanted) {
        if (is.equals(wanted)) {
            return name;
        }
        if (is.equals("bool") || wanted.equals("bool")) {
            throw new IllegalArgumentException(name + " is a predicate where a number is expected, or the reverse");
        }
        boolean isBits = List.of("float", "double").contains(is)
                || List.of("float", "double").contains(wanted);
        return isBits ? "bits<" + wanted + ">(" + name + ")" : "static_cast<" + wanted + ">(" + name + ")";
    }

    /** A constant. */
    static String number(PtxModule.Instruction i, String text, String wanted) {
        if (text.startsWith("0f") || text.startsWith("0d")) {
            return "bits<" + wanted + ">(" + (text.startsWith("0f") ? "u32" : "u64") + "{0x" + text.substring(2)
                    + "u})";
        }
        try {
            long number = text.endsWith("U")
                    ? Long.parseUnsignedLong(text.substring(0, text.length() - 1))
                    : text.startsWith("-") ? Long.parseLong(text) : Long.parseUnsignedLong(text);
            return switch (wanted) {
                case "bool" -> number == 0 ? "false" : "true";
                case "float", "double" -> throw i.error("an integer where a float is expected");
                case "u32" -> (number & 0xFFFFFFFFL) + "u";
                case "u64" -> Long.toUnsignedString(number) + "u";
                default -> "static_cast<" + wanted + ">(" + Long.toUnsignedString(number) + "u)";
            };
        } catch (NumberFormatException e) {
            throw i.error("number " + text + " is not understood");
        }
    }
}

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Loads, stores, atomic operations, copies, prefetches and addresses. */
final class PtxMemory {
    private static final Set<String> SPACES = Set.of("global", "shared", "param");
    /** That change where data is kept, or promise that it does not change. */
    private static final Set<String> HINTS = Set.of("nc", "L1::no_allocate");

    private static final Map<String, String> ATOMICS = Map.of("add", "atomic_add");

    private PtxMemory() {}

    /** Null for an instruction of another family. */
    static String translate(PtxFunction f, PtxModule.Instruction i) {
        return switch (i.opcode().getFirst()) {
            case "ld", "st" -> access(f, i);
            case "atom" -> atomic(f, i);
            case "cvta" -> converted(f, i);
            case "cp", "prefetch" -> copy(f, i);
            default -> null;
        };
    }

    private static String access(PtxFunction f, PtxModule.Instruction i) {
        String space = "";
        int count = 1;
        for (String word : i.opcode().subList(1, i.opcode().size() - 1)) {
            if (SPACES.contains(word)) {
                space = word;
            } else if (word.equals("v2") || word.equals("v4")) {
                count = word.charAt(1) - '0';
            } else if (!HINTS.contains(word)) {
                throw i.error("." + word + " is not known");
            }
        }
        String type = i.opcode().getLast();
        String element = PtxTypes.cType(type);
        boolean isLoad = i.opcode().getFirst().equals("ld");
        PtxModule.Operand data = i.operands().get(isLoad ? 0 : 1);
        String place = f.place(i, i.operands().get(isLoad ? 1 : 0), space);
        String load = f.hasPrefetches() && (space.isEmpty() || space.equals("global")) ? "load_noted" : "load";
        String store = space.equals("shared") && f.hasProducts() ? "store_for_products" : "store";
        if (count == 1) {
            return isLoad
                    ? f.assign(i, data, type, load + "<" + element + ">(" + place + ")")
                    : store + "<" + element + ">(" + place + ", " + f.value(i, data, type) + ");";
        }
        List<PtxModule.Operand> parts = ((PtxModule.Group) data).parts();
        if (parts.size() != count) {
            throw i.error("found " + parts.size() + " registers");
        }
        String vector = "Vector<" + element + ", " + count + ">";
        StringBuilder out = new StringBuilder("{ ");
        if (isLoad) {
            out.append("const auto v = " + load + "<" + vector + ">(" + place + ");");
            for (int n = 0; n < count; n++) {
                out.append(" " + f.assign(i, parts.get(n), type, "v.at[" + n + "]"));
            }
        } else {
            List<String> values =
                    parts.stream().map(part -> f.value(i, part, type)).toList();
            out.append(store + "<" + vector + ">(" + place + ", {{" + String.join(", ", values) + "}});");
        }
        return out.append(" }").toString();
    }

    private static String atomic(PtxFunction f, PtxModule.Instruction i) {
        List<String> words = i.opcode();
        if (words.size() != 4 || !SPACES.contains(words.get(1)) || !ATOMICS.containsKey(words.get(2))) {
            throw i.error("this instruction is not known");
        }
        String type = words.get(3);
        return f.assign(
                i,
                i.operands().getFirst(),
                type,
                ATOMICS.get(words.get(2)) + "<" + PtxTypes.cType(type) + ">("
                        + f.place(i, i.operands().get(1), words.get(1)) + ", "
                        + f.value(i, i.operands().get(2), type) + ")");
    }

    /** Addresses of shared memory become generic by adding the window's, all others are generic. */
    private static String converted(PtxFunction f, PtxModule.Instruction i) {
        String value = f.value(i, i.operands().get(1), "u64");
        if (i.opcode().contains("shared")) {
            value += i.opcode().contains("to") ? " - shared" : " + shared";
        }
        return f.assign(i, i.operands().getFirst(), "u64", value);
    }

    private static String copy(PtxFunction f, PtxModule.Instruction i) {
        return switch (i.name()) {
            case "cp.async.ca.shared.global", "cp.async.cg.shared.global" -> {
                String bytes = f.value(i, i.operands().get(2), "u32");
                String valid = i.operands().size() > 3 ? f.value(i, i.operands().get(3), "u32") : bytes;
                if (i.opcode().contains("cg") && !i.operands().get(2).equals(new PtxModule.Number("16"))) {
                    throw i.error("only 16 bytes can be copied past the first cache");
                }
                yield "copy_async(" + f.place(i, i.operands().get(0), "shared") + ", "
                        + f.place(i, i.operands().get(1), "global") + ", " + bytes + ", " + valid + ");";
            }
            case "cp.async.bulk.prefetch.L2.global" ->
                "simt::prefetch_run(reinterpret_cast<const void *>("
                        + f.place(i, i.operands().get(0), "global") + "), "
                        + f.value(i, i.operands().get(1), "u32") + ");";
            case "prefetch.global.L2" ->
                "simt::prefetch_sector(reinterpret_cast<const void *>("
                        + f.place(i, i.operands().getFirst(), "global") + "));";
            case "cp.async.commit_group" -> "simt::commit_copies();";
            case "cp.async.wait_group" ->
                "simt::wait_copies(" + f.value(i, i.operands().getFirst(), "s32") + ");";
            default -> throw i.error("this instruction is not known");
        };
    }

    /** {@code mov} between a register and its parts, the lowest first. */
    static String unpack(PtxFunction f, PtxModule.Instruction i) {
        int bits = Integer.parseInt(i.opcode().getLast().substring(1));
        PtxModule.Operand to = i.operands().get(0);
        PtxModule.Operand from = i.operands().get(1);
        String whole = "b" + bits;
        if (from instanceof PtxModule.Group g) {
            int each = bits / g.parts().size();
            List<String> terms = new ArrayList<>();
            for (int n = 0; n < g.parts().size(); n++) {
                terms.add(
                        "static_cast<u" + bits + ">(" + f.value(i, g.parts().get(n), "b" + each) + ") << " + n * each);
            }
            return f.assign(i, to, whole, String.join(" | ", terms));
        }
        List<PtxModule.Operand> parts = ((PtxModule.Group) to).parts();
        int each = bits / parts.size();
        StringBuilder out = new StringBuilder("{ const u" + bits + " v = " + f.value(i, from, whole) + ";");
        for (int n = 0; n < parts.size(); n++) {
            out.append(
                    " " + f.assign(i, parts.get(n), "b" + each, "static_cast<u" + each + ">(v >> " + n * each + ")"));
        }
        return out.append(" }").toString();
    }
}

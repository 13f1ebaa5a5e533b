import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the threads of a warp, a warpgroup or a block do together. */
final class PtxGroups {
    private static final Map<String, String> SHUFFLES =
            Map.of("up", "UP", "down", "DOWN", "bfly", "BUTTERFLY", "idx", "INDEX");

    /** Types of products, by the types of the sums and both factors. */
    private static final Map<String, String> FORMATS =
            Map.of("f32.bf16.bf16", "BF16", "f32.f16.f16", "F16", "f32.e4m3.e4m3", "E4M3");

    private static final Pattern MMA = Pattern.compile("mma\\.sync\\.aligned\\.m16n8k(16|32)\\.row\\.col\\.(.*)\\.f32");
    private static final Pattern WGMMA =
            Pattern.compile("wgmma\\.mma_async\\.sync\\.aligned\\.m64n(\\d+)k(16|32)\\.(.*)");
    private static final Pattern LDMATRIX =
            Pattern.compile("ldmatrix\\.sync\\.aligned\\.m8n8\\.x([124])(\\.trans)?\\.shared\\.b16");

    private PtxGroups() {}

    /** Null for an instruction of another family. */
    static String translate(PtxFunction f, PtxModule.Instruction i) {
        List<PtxModule.Operand> operands = i.operands();
        String name = i.name();
        if (name.startsWith("shfl.sync.")) {
            return shuffle(f, i);
        }
        return switch (name) {
            case "vote.sync.ballot.b32" -> f.assign(i, operands.get(0), "b32", vote(f, i, ""));
            case "vote.sync.any.pred" -> f.assign(i, operands.get(0), "pred", vote(f, i, "") + " != 0");
            case "vote.sync.all.pred" -> f.assign(i, operands.get(0), "pred", vote(f, i, "!") + " == 0");
            case "bar.warp.sync" -> "sync_warp(" + f.value(i, operands.getFirst(), "u32") + ");";
            case "bar.sync", "barrier.sync" -> barrier(f, i);
            case "bar.red.or.pred" -> f.assign(i, operands.get(0), "pred", reduction(f, i));
            // a launch begins when the one ahead has ended; PtxWait looks at what comes before
            case "griddepcontrol.wait", "griddepcontrol.launch_dependents" -> ";";
            // blocks are threads of the host, whose processor's order this is
            case "membar.gl" -> "__atomic_thread_fence(__ATOMIC_SEQ_CST);";
            case "nanosleep.u32" -> "simt::pause();";
            case "fence.proxy.async.shared::cta" -> "simt::fence_products();";
            case "wgmma.fence.sync.aligned" -> "simt::begin_products();";
            case "wgmma.commit_group.sync.aligned" -> "simt::commit_products();";
            case "wgmma.wait_group.sync.aligned" ->
                "simt::wait_products(" + f.value(i, operands.getFirst(), "s32") + ");";
            default -> matrix(f, i, name);
        };
    }

    private static String vote(PtxFunction f, PtxModule.Instruction i, String sign) {
        return "simt::vote(" + f.value(i, i.operands().get(2), "u32") + ", " + sign
                + f.value(i, i.operands().get(1), "pred") + ")";
    }

    private static String shuffle(PtxFunction f, PtxModule.Instruction i) {
        String mode = SHUFFLES.get(i.opcode().get(2));
        if (mode == null) {
            throw i.error("this instruction is not known");
        }
        PtxModule.Operand value = i.operands().get(0);
        String predicate = "nowhere";
        String before = "bool nowhere; ";
        if (value instanceof PtxModule.Pair pair) {
            value = pair.value();
            predicate = pair.predicate().text().replace("%", "");
            before = "";
        }
        String call = "shuffle(Shuffle::" + mode;
        for (int n = 1; n <= 4; n++) {
            call += ", " + f.value(i, i.operands().get(n), "u32");
        }
        return "{ " + before + f.assign(i, value, "u32", call + ", " + predicate + ")") + " }";
    }

    private static String reduction(PtxFunction f, PtxModule.Instruction i) {
        if (i.operands().size() != 3 || !i.operands().get(1).equals(new PtxModule.Number("0"))) {
            throw i.error("a reduction at a barrier with a number or a count is not translated");
        }
        return "simt::barrier(simt::Barrier::OR, " + f.value(i, i.operands().get(2), "pred") + ", " + i.line()
                + ") != 0";
    }

    private static String barrier(PtxFunction f, PtxModule.Instruction i) {
        if (i.operands().size() == 2) {
            return "simt::named_barrier(" + f.value(i, i.operands().get(0), "s32") + ", "
                    + f.value(i, i.operands().get(1), "s32") + ");";
        }
        if (!i.operands().equals(List.of(new PtxModule.Number("0")))) {
            throw i.error("a barrier with a number and without a count is not translated");
        }
        return "simt::barrier(simt::Barrier::SYNC, 0, " + i.line() + ");";
    }

    private static String matrix(PtxFunction f, PtxModule.Instruction i, String name) {
        Matcher m = LDMATRIX.matcher(name);
        if (m.matches()) {
            int count = Integer.parseInt(m.group(1));
            String call = "ldmatrix(v, " + count + ", " + (m.group(2) != null) + ", "
                    + f.place(i, i.operands().get(1), "shared") + ");";
            return "{ u32 v[" + count + "]; " + call + take(f, i, i.operands().getFirst(), "b32", "v", count) + " }";
        }
        m = MMA.matcher(name);
        if (m.matches()) {
            String format = format(i, m.group(2), m.group(1));
            return "{ float d[4] = {" + list(f, i, 3, "f32", 4) + "}; const u32 a[4] = {" + list(f, i, 1, "b32", 4)
                    + "}, b[2] = {" + list(f, i, 2, "b32", 2) + "}; simt::multiply_fragments(simt::Factor::" + format
                    + ", d, a, b);" + take(f, i, i.operands().getFirst(), "f32", "d", 4) + " }";
        }
        m = WGMMA.matcher(name);
        return m.matches() ? warpgroup(f, i, m) : null;
    }

    private static String warpgroup(PtxFunction f, PtxModule.Instruction i, Matcher m) {
        List<PtxModule.Operand> operands = i.operands();
        String format = format(i, m.group(3), m.group(2));
        // d, a, descriptor of b, whether to add; the signs of a and b; for 16-bit formats whether b is transposed
        int expected = format.equals("E4M3") ? 6 : 7;
        int columns = Integer.parseInt(m.group(1));
        PtxModule.Group sums = (PtxModule.Group) operands.get(0);
        PtxModule.Group factors = (PtxModule.Group) operands.get(1);
        if (operands.size() != expected
                || sums.parts().size() != columns / 2
                || factors.parts().size() != 4
                || columns % 8 != 0
                || columns > 256) {
            throw i.error(
                    "found " + operands.size() + " operands, " + sums.parts().size() + " sums");
        }
        List<String> a = factors.parts().stream().map(f::addressOf).toList();
        List<String> words = new ArrayList<>(List.of(
                "simt::Factor::" + format,
                Integer.toString(columns),
                f.sums(i, sums),
                "{" + String.join(", ", a) + "}",
                f.value(i, operands.get(2), "u64"),
                f.value(i, operands.get(3), "pred"),
                f.value(i, operands.get(4), "s32"),
                f.value(i, operands.get(5), "s32"),
                expected == 7 ? f.value(i, operands.get(6), "s32") : "0",
                "shared"));
        return "simt::begin_product({" + String.join(", ", words) + "});";
    }

    private static String format(PtxModule.Instruction i, String types, String depth) {
        String format = FORMATS.get(types);
        if (format == null || depth.equals("32") != format.equals("E4M3")) {
            throw i.error("these types are not known");
        }
        return format;
    }

    private static String list(PtxFunction f, PtxModule.Instruction i, int operand, String type, int count) {
        List<PtxModule.Operand> parts = ((PtxModule.Group) i.operands().get(operand)).parts();
        if (parts.size() != count) {
            throw i.error("operand " + operand + " has " + parts.size() + " registers, expected " + count);
        }
        return String.join(", ", parts.stream().map(p -> f.value(i, p, type)).toList());
    }

    private static String take(
            PtxFunction f, PtxModule.Instruction i, PtxModule.Operand group, String type, String from, int count) {
        List<PtxModule.Operand> parts = ((PtxModule.Group) group).parts();
        if (parts.size() != count) {
            throw i.error("found " + parts.size() + " results, expected " + count);
        }
        StringBuilder out = new StringBuilder();
        for (int n = 0; n < count; n++) {
            out.append(" " + f.assign(i, parts.get(n), type, from + "[" + n + "]"));
        }
        return out.toString();
    }
}

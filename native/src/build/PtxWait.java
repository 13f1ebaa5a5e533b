import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Accesses to global memory that a thread may come to before {@code griddepcontrol.wait}, while kernels ahead may still write it
 * (PTX ISA, <i>griddepcontrol</i>: only behind the wait is what they wrote seen). Prefetches give no value and are none. Only the
 * text shows that: the emulator's launches run one after the other. Follows the branches from the entry to the wait.
 */
final class PtxWait {
    private static final String WAIT = "griddepcontrol.wait";

    private PtxWait() {}

    static void check(PtxModule.Entry entry) {
        List<PtxModule.Statement> body = entry.body();
        Map<String, Integer> labels = new HashMap<>();
        boolean waits = false;
        for (int at = 0; at < body.size(); at++) {
            switch (body.get(at)) {
                case PtxModule.Label l -> labels.put(l.name(), at);
                case PtxModule.Instruction i -> waits |= i.name().equals(WAIT);
                default -> {}
            }
        }
        if (waits) {
            follow(body, labels);
        }
    }

    private static void follow(List<PtxModule.Statement> body, Map<String, Integer> labels) {
        Set<Integer> seen = new HashSet<>();
        Deque<Integer> left = new ArrayDeque<>(List.of(0));
        while (!left.isEmpty()) {
            int at = left.pop();
            if (at >= body.size() || !seen.add(at)) {
                continue;
            }
            boolean goesOn = true;
            if (body.get(at) instanceof PtxModule.Instruction i) {
                if (isAccess(i)) {
                    throw i.error("global memory is accessed before " + WAIT);
                }
                String family = i.opcode().getFirst();
                if (family.equals("bra")) {
                    left.push(labels.get(((PtxModule.Name) i.operands().getFirst()).text()));
                }
                goesOn = !i.guard().isEmpty()
                        || !Set.of("bra", "ret", "exit", "trap").contains(family);
                goesOn &= !i.name().equals(WAIT);
            }
            if (goesOn) {
                left.push(at + 1);
            }
        }
    }

    /** Of global memory, or of generic addresses, which may be there. */
    private static boolean isAccess(PtxModule.Instruction i) {
        return switch (i.opcode().getFirst()) {
            case "ld", "st", "atom", "red" ->
                !i.opcode().contains("shared") && !i.opcode().contains("param");
            case "cp" -> i.operands().size() > 1 && !i.opcode().contains("prefetch");
            default -> false;
        };
    }
}

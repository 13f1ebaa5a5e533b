import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Registers of products of warpgroups that are written between {@code wgmma.fence} and the product, where it may not see what
 * was written. Only the text shows that: the emulator's threads do one thing after the other. Looks at it from top to bottom and
 * not at branches, since nvcc keeps a group of products in one block.
 */
final class PtxHazards {
    private PtxHazards() {}

    static void check(PtxModule.Entry entry) {
        Set<String> written = new HashSet<>();
        for (PtxModule.Statement statement : entry.body()) {
            if (statement instanceof PtxModule.Instruction i && !i.operands().isEmpty()) {
                if (i.name().startsWith("wgmma.mma_async")) {
                    Set<String> registers = new HashSet<>();
                    i.operands().subList(0, 2).forEach(group -> collect(group, registers));
                    registers.retainAll(written);
                    if (!registers.isEmpty()) {
                        throw i.error("written after the last wgmma.fence: " + registers);
                    }
                } else if (!List.of("st", "bra", "bar", "cp")
                        .contains(i.opcode().getFirst())) {
                    collect(i.operands().getFirst(), written);
                }
            } else if (statement instanceof PtxModule.Instruction i && i.name().startsWith("wgmma.fence")) {
                written.clear();
            }
        }
    }

    private static void collect(PtxModule.Operand operand, Set<String> into) {
        switch (operand) {
            case PtxModule.Name name -> into.add(name.text());
            case PtxModule.Group group -> group.parts().forEach(part -> collect(part, into));
            case PtxModule.Pair pair -> into.add(pair.value().text());
            default -> {}
        }
    }
}

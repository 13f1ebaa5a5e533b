package dev.weft.backend.cpu;

import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.Op;
import dev.weft.op.Quantize;
import dev.weft.op.RmsNorm;
import dev.weft.spi.NodeGroup;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * From one sublayer into the next: the exit of its hyper-connection if there is one, the entry of the next one's, the norm
 * of the sublayer's input, and its quantisation if there is one.
 *
 * @param leaves whether there is an exit
 * @param entry the entry
 * @param norm the norm
 * @param isQuantised whether its result is quantised
 */
record HyperStep(boolean leaves, HyperPre entry, RmsNorm norm, boolean isQuantised) implements Fused {
    /** See {@link dev.weft.spi.Fusing#chains}. */
    static final List<List<Class<? extends Op>>> CHAINS = List.of(
            List.of(HyperPost.class, HyperPre.class, RmsNorm.class, Quantize.class),
            List.of(HyperPost.class, HyperPre.class, RmsNorm.class),
            List.of(HyperPre.class, RmsNorm.class, Quantize.class),
            List.of(HyperPre.class, RmsNorm.class));

    /** Reads a group; empty if it is another, or somebody outside of it reads what would not be stored. */
    static Optional<HyperStep> of(NodeGroup group) {
        List<Op> ops = group.members().stream().map(m -> m.instance().op()).toList();
        boolean leaves = ops.getFirst() instanceof HyperPost;
        boolean quantised = ops.getLast() instanceof Quantize;
        int at = leaves ? 1 : 0;
        if (ops.size() != at + (quantised ? 3 : 2)
                || !(ops.get(at) instanceof HyperPre entry)
                || !(ops.get(at + 1) instanceof RmsNorm norm)) {
            return Optional.empty();
        }
        Layout layout = Layout.of(leaves, quantised);
        Set<Integer> stored = new HashSet<>(group.inner());
        stored.removeAll(layout.hidden());
        boolean fits =
                group.members().stream().map(NodeGroup.Member::values).toList().equals(layout.members())
                        && stored.isEmpty()
                        && group.inner().contains(layout.entered());
        return fits ? Optional.of(new HyperStep(leaves, entry, norm, quantised)) : Optional.empty();
    }

    /**
     * The order in which {@code weft.h} lists the operands, which is that of the graph.
     *
     * @param members values of the members
     * @param entered the sublayer's input before the norm, which has no memory
     * @param hidden all values that need no memory
     */
    private record Layout(List<List<Integer>> members, int entered, Set<Integer> hidden) {
        static Layout of(boolean leaves, boolean quantised) {
            List<List<Integer>> members = new ArrayList<>();
            int streams = leaves ? 4 : 0;
            if (leaves) {
                members.add(List.of(0, 1, 2, 3, streams));
            }
            members.add(IntStream.rangeClosed(streams, streams + 6).boxed().toList());
            int entered = streams + 4;
            int normed = streams + 8;
            members.add(List.of(entered, normed - 1, normed));
            if (quantised) {
                members.add(List.of(normed, normed + 1));
            }
            return new Layout(members, entered, quantised ? Set.of(entered, normed) : Set.of(entered));
        }
    }
}

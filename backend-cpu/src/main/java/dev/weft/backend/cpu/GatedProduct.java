package dev.weft.backend.cpu;

import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.Op;
import dev.weft.op.Quantize;
import dev.weft.op.SwiGlu;
import dev.weft.spi.NodeGroup;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Two products of the same rows, the activation of both, and its quantisation if there is one: what one native kernel
 * computes without storing a product.
 *
 * @param hasExperts whether the products are those of experts
 * @param activation the activation
 * @param isQuantised whether it is quantised
 */
record GatedProduct(boolean hasExperts, SwiGlu activation, boolean isQuantised) implements Fused {
    /** See {@link dev.weft.spi.Fusing#chains}. */
    static final List<List<Class<? extends Op>>> CHAINS = List.of(
            List.of(ExpertGemm.class, SwiGlu.class, Quantize.class),
            List.of(Gemm.class, SwiGlu.class, Quantize.class),
            List.of(ExpertGemm.class, SwiGlu.class),
            List.of(Gemm.class, SwiGlu.class));

    /** Reads a group; empty if it is another, or somebody outside of it reads what would not be stored. */
    static Optional<GatedProduct> of(NodeGroup group) {
        List<Op> ops = group.members().stream().map(m -> m.instance().op()).toList();
        if (ops.size() < 3
                || !(ops.get(2) instanceof SwiGlu activation)
                || !ops.get(0).equals(ops.get(1))) {
            return Optional.empty();
        }
        boolean experts = ops.getFirst() instanceof ExpertGemm;
        boolean quantised = ops.getLast() instanceof Quantize;
        Layout layout = Layout.of(experts, activation.weighted(), quantised);
        boolean fits =
                group.members().stream().map(NodeGroup.Member::values).toList().equals(layout.members())
                        && group.inner().equals(layout.inner())
                        && group.values().get(1).equals(group.values().get(layout.upWeight()));
        return fits ? Optional.of(new GatedProduct(experts, activation, quantised)) : Optional.empty();
    }

    /**
     * The order in which {@code weft.h} lists the operands, which is that of a graph that has the product of the gate first.
     *
     * @param members values of the members
     * @param inner values without memory
     * @param upWeight the second product's weight; the first one's is 1
     */
    private record Layout(List<List<Integer>> members, Set<Integer> inner, int upWeight) {
        static Layout of(boolean experts, boolean weighted, boolean quantised) {
            List<Integer> offsets = experts ? List.of(2) : List.of();
            int gate = 2 + offsets.size();
            int up = gate + 2;
            int result = up + (weighted ? 2 : 1);
            List<List<Integer>> members = new ArrayList<>();
            members.add(joined(List.of(0, 1), offsets, List.of(gate)));
            members.add(joined(List.of(0, gate + 1), offsets, List.of(up)));
            members.add(joined(
                    List.of(gate, up),
                    IntStream.rangeClosed(up + 1, result).boxed().toList()));
            Set<Integer> inner = new HashSet<>(Set.of(gate, up));
            if (quantised) {
                members.add(List.of(result, result + 1));
                inner.add(result);
            }
            return new Layout(members, inner, gate + 1);
        }

        @SafeVarargs
        private static List<Integer> joined(List<Integer>... parts) {
            return Stream.of(parts).flatMap(List::stream).toList();
        }
    }
}

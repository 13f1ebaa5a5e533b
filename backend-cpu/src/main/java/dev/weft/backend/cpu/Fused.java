package dev.weft.backend.cpu;

import dev.weft.op.Op;
import dev.weft.spi.NodeGroup;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What one native kernel computes of several nodes; {@code weft.h} lists the operands of each. */
sealed interface Fused permits GatedProduct, HyperStep {
    /** See {@link dev.weft.spi.Fusing#chains}. */
    static List<List<Class<? extends Op>>> chains() {
        return Stream.of(GatedProduct.CHAINS, HyperStep.CHAINS)
                .flatMap(List::stream)
                .toList();
    }

    /** Reads a group; empty if no kernel computes it, or somebody outside of it reads what would not be stored. */
    static Optional<Fused> of(NodeGroup group) {
        return GatedProduct.of(group).map(Fused.class::cast).or(() -> HyperStep.of(group));
    }
}

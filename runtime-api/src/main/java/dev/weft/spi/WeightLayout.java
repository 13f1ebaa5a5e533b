package dev.weft.spi;

import dev.weft.op.OpInstance;
import java.util.Optional;

/**
 * Optional ability of a {@link BackendDevice}: keeps weights in an order of its own. Weights are packed once, at load.
 */
public interface WeightLayout {
    /** The layout that the kernel for {@code op} reads operand {@code operand} in; empty for row-major. */
    Optional<Packing> packing(OpInstance op, int operand);

    /** One layout for one weight type. Operands in it have an address and no scale address. */
    interface Packing {
        /** Identity: consumers that name the same layout share the packed copy. */
        String id();

        /** Bytes of the packed weight. */
        long bytes();

        /** Converts the weight to device memory at {@code target}; may use several threads. */
        void pack(WeightData source, long target);
    }
}

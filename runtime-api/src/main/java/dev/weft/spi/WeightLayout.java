package dev.weft.spi;

import dev.weft.op.OpInstance;
import java.util.Optional;

/**
 * Optional ability of a {@link BackendDevice}: keeps weights in an order of its own. Weights are packed once, at load.
 */
public interface WeightLayout {
    /** The layout that the kernel for {@code op} reads operand {@code operand} in; empty for row-major. */
    Optional<Packing> packing(OpInstance op, int operand);

    /** How the kernel for {@code op} can read operand {@code operand} in units on demand; empty if only as a whole. */
    default Optional<Paging> paging(OpInstance op, int operand) {
        return Optional.empty();
    }

    /**
     * A pager for weights that have a {@link Paging}.
     *
     * @param slots device address of the slots, which must outlive the pager
     * @param slotBytes bytes of one slot
     * @param slotCount number of slots, may be 0
     */
    default WeightPager openPager(long slots, long slotBytes, long slotCount) {
        throw new UnsupportedOperationException("this device reads all weights at load");
    }

    /** How a weight is read on demand. */
    interface Paging {
        /** Number of units that are read one by one. */
        long units();

        /** Bytes of one unit on the device; units at home follow each other at this distance. */
        long unitBytes();

        /** Whether units may lie in slots: if few of them are needed at a time. */
        boolean mayGiveWay();
    }

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

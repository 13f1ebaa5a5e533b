package dev.weft.backend.cpu;

import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.Kernel;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightPager;
import java.util.List;
import java.util.Optional;

/** The kernels of one variant of the device. Thread-safe. */
public interface KernelSet extends AutoCloseable {
    /** What computes, for people. */
    String description();

    /** Threads that a kernel uses. */
    int threads();

    /** See {@link dev.weft.spi.DeviceInfo#tier}. */
    String tier();

    /** See {@link dev.weft.spi.BackendDevice#supports}. */
    Support supports(OpInstance op);

    /** See {@link dev.weft.spi.BackendDevice#prepare}. @throws dev.weft.UnsupportedOpException if {@link #supports} says no */
    Kernel prepare(OpInstance op);

    /** See {@link dev.weft.spi.Fusing#chains}. */
    default List<List<Class<? extends Op>>> chains() {
        return List.of();
    }

    /** See {@link dev.weft.spi.Fusing#fuse}. */
    default Optional<Kernel> fuse(NodeGroup group) {
        return Optional.empty();
    }

    /** See {@link WeightLayout#packing}; {@code workers} do the packing. */
    default Optional<WeightLayout.Packing> packing(OpInstance op, int operand, Workers workers) {
        return Optional.empty();
    }

    /** See {@link WeightLayout#paging}; {@code workers} as for {@link #packing}. */
    default Optional<WeightLayout.Paging> paging(OpInstance op, int operand, Workers workers) {
        return Optional.empty();
    }

    /** See {@link WeightLayout#openPager}. */
    default WeightPager openPager(long slots, long slotBytes, long slotCount) {
        throw new UnsupportedOperationException("these kernels need all weights at load");
    }

    /** Frees what the kernels share. No kernel runs any more. */
    @Override
    default void close() {}
}

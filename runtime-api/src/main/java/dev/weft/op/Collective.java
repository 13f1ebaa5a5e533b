package dev.weft.op;

import dev.weft.Dim;
import java.util.Optional;

/**
 * An operator that all ranks of a group run together: rows move between their devices. The runtime runs it by the group
 * that a graph is compiled with ({@code CompileOptions.withGroups}), or by the block of consecutive ranks of it that has
 * {@link #ranks} ranks and this one; backends need no kernel, and without a group only those of one rank can run.
 *
 * <p>Every rank's graph has the same collectives in the same order. Sums over ranks are formed here in rank order, in F32,
 * from bytes that were moved, so results do not depend on what carries them. A rank without rows takes part.
 */
public sealed interface Collective
        permits AllReduce,
                AllGather,
                ReduceScatter,
                AllToAll,
                AllToAllV,
                Broadcast,
                MoeGather,
                MoeSend,
                MoeReturn,
                RowCounts,
                GatherRows,
                ScatterColumns,
                GatherColumns {
    /** Ranks of the group, or of each of its blocks: a divisor of the ranks. */
    int ranks();

    /**
     * The dimension whose extent is known only once the ranks have met: the node binds it for the rest of the run, and
     * memory is planned for its upper bound. Nothing for an operator whose results have the extents of its operands.
     */
    default Optional<Dim> binds() {
        return Optional.empty();
    }

    /** Whether what it moves follows from extents alone, so that a device can record it with the kernels around it. */
    default boolean isFixed() {
        return false;
    }
}

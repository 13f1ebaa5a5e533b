package dev.weft.spi;

import dev.weft.op.Op;
import java.util.List;
import java.util.Optional;

/**
 * Optional ability of a {@link BackendDevice}: computes several nodes of a graph by one kernel, so that what one hands to
 * the next need not travel through memory, and fewer kernels are launched.
 *
 * <p>The device says what it would like to see together, the runtime looks for it in the graph: first for
 * {@link #chains}, then for {@link #family} among what is left and what was found. It offers only groups that can be
 * enqueued as one: nothing outside of a group waits for one member and is waited for by another. For each it asks for a
 * kernel, and if there is none the nodes keep theirs.
 *
 * <p>The contract is exact: the kernel leaves in every result the bits that the kernels of the single nodes leave there,
 * so their rounding points stay. The conformance suite compares both. Devices that are there for comparison (simple
 * variants) do not fuse, and {@code CompileOptions.withoutFusion} turns it off.
 */
public interface Fusing {
    /**
     * Operators of which each reads a result of the one before, longest chains first: a node goes to the first that fits.
     * Another operator may read the results as well; then they are not {@linkplain NodeGroup#inner inner}. Further nodes of
     * the first operator belong to the chain if the second node reads their results: both products of an activation. So do
     * further nodes of the last operator that read results of the node before the last, if the device takes them as well.
     */
    List<List<Class<? extends Op>>> chains();

    /**
     * A name that groups, or nodes alone, have in common if the device would compute them side by side; empty for none. The
     * runtime joins those of which none waits for another, the earliest first, and asks {@link #fuse} about each larger
     * group.
     */
    default Optional<String> family(NodeGroup group) {
        return Optional.empty();
    }

    /**
     * A kernel for all members of a group. Its arguments are the {@link NodeGroup#values} in order, each weight in the layout
     * that {@link WeightLayout} names for the first member that reads it: a device whose members want others must refuse. Inner values have the extents of the call, but address 0:
     * a kernel that needs room for them counts it in {@link Kernel#workspaceBytes}.
     *
     * @param group members that {@link BackendDevice#supports} natively or emulated
     * @return empty if the group is better computed by the kernels of its members
     */
    Optional<Kernel> fuse(NodeGroup group);
}

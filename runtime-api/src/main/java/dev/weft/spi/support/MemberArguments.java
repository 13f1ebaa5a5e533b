package dev.weft.spi.support;

import dev.weft.TensorType;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * What the members of a {@link NodeGroup} are given if their own kernels, or parts of them, compute it: places in the
 * workspace for inner values, and behind them scratch memory for every member, of its own because members may run side by
 * side. Immutable.
 */
public final class MemberArguments {
    private static final long ALIGNMENT = 256;
    private static final long OUTSIDE = -1;

    private final NodeGroup group;
    private final long[] places;
    private final long[] scratch;
    private final long bytes;

    /** @param scratchBytes of every member */
    public MemberArguments(NodeGroup group, List<Long> scratchBytes) {
        this.group = group;
        this.places = new long[group.values().size()];
        this.scratch = new long[group.members().size()];
        long at = 0;
        for (int i = 0; i < places.length; i++) {
            int root = group.roots().get(i);
            if (!group.inner().contains(i)) {
                places[i] = OUTSIDE;
            } else if (root != i) {
                places[i] = places[root];
            } else {
                places[i] = at;
                TensorType t = group.values().get(i);
                at += align(t.maxDataBytes()) + align(t.maxScaleBytes());
            }
        }
        for (int m = 0; m < scratch.length; m++) {
            scratch[m] = at;
            at += align(scratchBytes.get(m));
        }
        this.bytes = at;
    }

    /** Bytes of the workspace. */
    public long bytes() {
        return bytes;
    }

    /**
     * Arguments of a member in one call.
     *
     * @param call arguments of the group
     * @param arena owner of the result
     */
    public KernelArguments of(int member, KernelArguments call, Arena arena) {
        List<Integer> values = group.members().get(member).values();
        KernelArguments own =
                new KernelArguments(values.stream().map(group.values()::get).toList(), arena);
        for (int i = 0; i < values.size(); i++) {
            int v = values.get(i);
            own.extents(i, call.dims(v));
            if (places[v] == OUTSIDE) {
                own.pitch(i, call.pitch(v));
                own.bind(i, call.address(v), call.scaleAddress(v));
            } else {
                TensorType t = group.values().get(v);
                long address = call.workspace() + places[v];
                own.bind(i, address, t.scaling().isNone() ? 0 : address + align(t.maxDataBytes()));
            }
        }
        own.workspace(call.workspace() + scratch[member]);
        return own;
    }

    private static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }
}

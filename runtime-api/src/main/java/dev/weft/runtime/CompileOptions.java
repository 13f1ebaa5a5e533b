package dev.weft.runtime;

import dev.weft.spi.Communicator;
import org.jspecify.annotations.Nullable;

/**
 * Choices of a compilation.
 *
 * @param hostFallback whether nodes without a kernel may run on the host by the reference kernels, with copies both ways
 * @param poisonWorkspace whether workspaces and results are filled with NaN patterns before every node, to find kernels
 *     that read what they did not write; for tests
 * @param weights when weights come from their files; devices that cannot read them on demand load them all
 * @param fusion whether a device may compute several nodes by one kernel, which changes no bit of any output
 * @param groups the ranks that run collectives together, null for a graph without them; stay open as long as the graph is
 *     used, by one execution at a time
 */
public record CompileOptions(
        boolean hostFallback,
        boolean poisonWorkspace,
        WeightRoute weights,
        boolean fusion,
        @Nullable RankGroups groups) {
    /** No fallback, no poison, weights as memory allows, nodes computed together, no group. */
    public static final CompileOptions DEFAULT = new CompileOptions(false, false, WeightRoute.AUTO, true, null);

    /** These options with fallback to the host allowed. */
    public CompileOptions withHostFallback() {
        return new CompileOptions(true, poisonWorkspace, weights, fusion, groups);
    }

    /** These options with poisoned scratch memory. */
    public CompileOptions withPoison() {
        return new CompileOptions(hostFallback, true, weights, fusion, groups);
    }

    /** These options with another way of the weights. */
    public CompileOptions withWeights(WeightRoute weights) {
        return new CompileOptions(hostFallback, poisonWorkspace, weights, fusion, groups);
    }

    /** These options with every node computed by a kernel of its own. */
    public CompileOptions withoutFusion() {
        return new CompileOptions(hostFallback, poisonWorkspace, weights, false, groups);
    }

    /** These options with a group of ranks, for collectives of all of them. */
    public CompileOptions withGroup(Communicator group) {
        return withGroups(RankGroups.of(group));
    }

    /** These options with ranks, for collectives of all of them and of their blocks. */
    public CompileOptions withGroups(RankGroups groups) {
        return new CompileOptions(hostFallback, poisonWorkspace, weights, fusion, groups);
    }

    /** All ranks; null for a graph without collectives. */
    public @Nullable Communicator group() {
        return groups == null ? null : groups.all();
    }
}

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
 * @param group the ranks that run collectives together, null for a graph without them; stays open as long as the graph is
 *     used, by one execution at a time
 */
public record CompileOptions(
        boolean hostFallback,
        boolean poisonWorkspace,
        WeightRoute weights,
        @Nullable Communicator group) {
    /** No fallback, no poison, weights as memory allows, no group. */
    public static final CompileOptions DEFAULT = new CompileOptions(false, false, WeightRoute.AUTO, null);

    /** These options with fallback to the host allowed. */
    public CompileOptions withHostFallback() {
        return new CompileOptions(true, poisonWorkspace, weights, group);
    }

    /** These options with poisoned scratch memory. */
    public CompileOptions withPoison() {
        return new CompileOptions(hostFallback, true, weights, group);
    }

    /** These options with another way of the weights. */
    public CompileOptions withWeights(WeightRoute weights) {
        return new CompileOptions(hostFallback, poisonWorkspace, weights, group);
    }

    /** These options with a group of ranks. */
    public CompileOptions withGroup(Communicator group) {
        return new CompileOptions(hostFallback, poisonWorkspace, weights, group);
    }
}

package dev.weft.runtime;

/**
 * Choices of a compilation.
 *
 * @param hostFallback whether nodes without a kernel may run on the host by the reference kernels, with copies both ways
 * @param poisonWorkspace whether workspaces and results are filled with NaN patterns before every node, to find kernels
 *     that read what they did not write; for tests
 * @param weights when weights come from their files; devices that cannot read them on demand load them all
 */
public record CompileOptions(boolean hostFallback, boolean poisonWorkspace, WeightRoute weights) {
    /** No fallback, no poison, weights as memory allows. */
    public static final CompileOptions DEFAULT = new CompileOptions(false, false, WeightRoute.AUTO);

    /** These options with fallback to the host allowed. */
    public CompileOptions withHostFallback() {
        return new CompileOptions(true, poisonWorkspace, weights);
    }

    /** These options with poisoned scratch memory. */
    public CompileOptions withPoison() {
        return new CompileOptions(hostFallback, true, weights);
    }

    /** These options with another way of the weights. */
    public CompileOptions withWeights(WeightRoute weights) {
        return new CompileOptions(hostFallback, poisonWorkspace, weights);
    }
}

package dev.weft.runtime;

/**
 * Choices of a compilation.
 *
 * @param hostFallback whether nodes without a kernel may run on the host by the reference kernels, with copies both ways
 * @param poisonWorkspace whether workspaces and results are filled with NaN patterns before every node, to find kernels
 *     that read what they did not write; for tests
 */
public record CompileOptions(boolean hostFallback, boolean poisonWorkspace) {
    /** No fallback, no poison. */
    public static final CompileOptions DEFAULT = new CompileOptions(false, false);

    /** These options with fallback to the host allowed. */
    public CompileOptions withHostFallback() {
        return new CompileOptions(true, poisonWorkspace);
    }

    /** These options with poisoned scratch memory. */
    public CompileOptions withPoison() {
        return new CompileOptions(hostFallback, true);
    }
}

package dev.weft.backend.cuda.kernel;

/**
 * What kernels need to know of a device. Ways ask for abilities, not for version numbers.
 *
 * @param sm compute capability times ten, 90 for Hopper
 * @param multiprocessors number of streaming multiprocessors
 * @param sharedBytes most dynamic shared memory of a block
 * @param cacheBytes size of the L2 cache
 */
public record Chip(int sm, int multiprocessors, int sharedBytes, long cacheBytes) {
    /** {@code mma.sync} on BF16 and {@code cp.async}. */
    public boolean hasBf16Mma() {
        return sm >= 80;
    }

    /** Products of warpgroups, which Hopper alone has. */
    public boolean hasWgmma() {
        return sm == 90;
    }
}

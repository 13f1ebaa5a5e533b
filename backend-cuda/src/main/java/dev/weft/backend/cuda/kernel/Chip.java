package dev.weft.backend.cuda.kernel;

import java.util.List;

/**
 * What kernels need to know of a device. Ways ask for abilities, not for version numbers.
 *
 * @param sm compute capability times ten, 90 for Hopper
 * @param multiprocessors number of streaming multiprocessors
 * @param sharedBytes most dynamic shared memory of a block
 * @param cacheBytes size of the L2 cache
 */
public record Chip(int sm, int multiprocessors, int sharedBytes, long cacheBytes) {
    private static final int HOPPER = 90;

    /** {@code mma.sync} on BF16 and {@code cp.async}. */
    public boolean hasBf16Mma() {
        return sm >= 80;
    }

    /** Products of warpgroups, which Hopper alone has; an image must have them too, see {@link Emit#hasOwnFeatures}. */
    public boolean hasWgmma() {
        return sm == HOPPER;
    }

    /** Kernel files with code that is compiled for exactly a chip of this kind and for no other. */
    public static List<String> ownModules(int sm) {
        return sm == HOPPER
                ? List.of("gemm_wgmma", "gemm_together_wgmma", "gemm_wgmma_quantized", Fp8Gemm.MODULE, "limits")
                : List.of();
    }
}

package dev.weft.spi;

import java.util.OptionalInt;

/** An implementation of an operator on a device, with its configuration chosen. Immutable, usable on any stream. */
public interface Kernel {
    /** Name for placement tables, for example {@code mxfp4_gemm/avx512}. */
    String name();

    /** Scratch bytes a call needs at the largest extents, 0 for none. */
    long workspaceBytes();

    /**
     * Launches on the device that a call of these extents takes, 0 if it has nothing to compute; empty if the device does
     * not count. Addresses are not looked at. What a step computes once for all kernels that need it counts for none.
     */
    default OptionalInt launches(KernelArguments arguments) {
        return OptionalInt.empty();
    }

    /** Appends one call to the stream. Never blocks on the device and never allocates device memory. */
    void enqueue(DeviceStream stream, KernelArguments arguments);
}

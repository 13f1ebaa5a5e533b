package dev.weft.spi;

import dev.weft.TensorType;

/**
 * Optional ability of a {@link BackendDevice}: keeps states in more memory than their elements need, for example with a
 * spare row that receives what an operator must not write.
 */
public interface StateLayout {
    /**
     * Bytes to allocate for a state; at least {@link TensorType#maxDataBytes}. The elements come first, in row-major
     * order; what is behind them starts as zero and belongs to the device's kernels.
     */
    long stateBytes(TensorType type);

    /** Bytes that {@code device} wants for a state. */
    static long of(BackendDevice device, TensorType type) {
        return device instanceof StateLayout layout ? layout.stateBytes(type) : type.maxDataBytes();
    }
}

package dev.weft.plan;

import org.jspecify.annotations.Nullable;

/**
 * How a model lies on devices, and whether it fits: attention data-parallel over groups, tensor-parallel within each,
 * experts over all devices. Bytes are those of the fullest device.
 *
 * @param dataParallel groups that hold different sequences
 * @param tensorParallel devices of a group, which share its weights; the one head of keys and values is on each
 * @param expertParallel devices among which the experts are dealt
 * @param sharedBytes attention, shared experts, router and the rest of the MTP blocks, of which a device has its part
 * @param dealtBytes embedding, head, look-up tables and experts
 * @param cacheBytes caches and tail states
 * @param obstacle why it cannot be used; null if it can
 */
public record Layout(
        int dataParallel,
        int tensorParallel,
        int expertParallel,
        double sharedBytes,
        double dealtBytes,
        double cacheBytes,
        @Nullable String obstacle) {
    /** Bytes on the fullest device. */
    public double heldBytes() {
        return sharedBytes + dealtBytes + cacheBytes;
    }

    /** Whether it can be used. */
    public boolean fits() {
        return obstacle == null;
    }

    /** As in {@code DP4 x TP2 EP8}, or without tensor parallelism {@code DP16 EP16}. */
    public String name() {
        return "DP" + dataParallel + (tensorParallel > 1 ? " x TP" + tensorParallel : "") + " EP" + expertParallel;
    }
}

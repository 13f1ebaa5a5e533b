package dev.weft.plan;

import org.jspecify.annotations.Nullable;

/**
 * A kind of device.
 *
 * @param kind short name, as in {@code 950dt}
 * @param name name for people
 * @param memoryBytes memory of one device
 * @param published peaks by its maker, dense
 * @param measured peaks that a bench run found; null if there was none
 * @param source where the published peaks are from
 */
public record Hardware(
        String kind,
        String name,
        double memoryBytes,
        Peaks published,
        @Nullable Peaks measured,
        String source) {
    /** Share of the memory that a plan fills; the rest is for activations, buffers and fragments. */
    public static final double USABLE_SHARE = 0.9;

    /** This kind with what a bench run found. */
    public Hardware withMeasured(Peaks measured) {
        return new Hardware(kind, name, memoryBytes, published, measured, source);
    }

    /** Memory that a plan may fill. */
    public double usableBytes() {
        return memoryBytes * USABLE_SHARE;
    }
}

package dev.weft.plan;

import org.jspecify.annotations.Nullable;

/**
 * The most one device does per second.
 *
 * @param memory bytes read from its memory
 * @param fp8 FP8 FLOPs
 * @param bf16 BF16 FLOPs
 * @param fp4 FP4 FLOPs; null if it has no such unit, whose work its FP8 unit then does
 * @param link bytes sent to other devices; infinite if there is none to send to
 */
public record Peaks(
        double memory, double fp8, double bf16, @Nullable Double fp4, double link) {
    /** FLOPs per second of work of a kind. */
    public double rate(Arithmetic arithmetic) {
        return switch (arithmetic) {
            case FP4 -> fp4 == null ? fp8 : fp4;
            case FP8 -> fp8;
            case BF16 -> bf16;
        };
    }
}

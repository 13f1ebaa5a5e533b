package dev.weft.plan;

import dev.weft.plan.CacheFormat.Element;

/**
 * Lanes of what a cache keeps per entry.
 *
 * @param latentLanes lanes that FP8 entries quantise
 * @param rotaryLanes lanes that stay BF16
 * @param scaleBytes scales of an FP8 entry, padding included
 * @param keyLanes lanes of an index key
 */
public record CacheLayout(int latentLanes, int rotaryLanes, int scaleBytes, int keyLanes) {
    /** Lanes of an index key that share a scale byte in FP4. */
    private static final int FP4_BLOCK = 32;

    /** Bytes of an attention entry. */
    public long entryBytes(Element format) {
        return format == Element.FP8 ? latentLanes + scaleBytes + 2L * rotaryLanes : 2L * (latentLanes + rotaryLanes);
    }

    /** Bytes of an index key: FP4 with a byte of scale per 32 lanes, FP8 with one F32 scale, or BF16. */
    public long keyBytes(Element format) {
        return switch (format) {
            case FP4 -> keyLanes / 2 + keyLanes / FP4_BLOCK;
            case FP8 -> keyLanes + Float.BYTES;
            case BF16 -> 2L * keyLanes;
        };
    }
}

package dev.weft.plan;

import java.util.Locale;

/**
 * How a cache stores what it keeps.
 *
 * @param entries attention entries: {@link Element#FP8} (rotary lanes stay BF16) or {@link Element#BF16}
 * @param indexKeys keys of the indexer; they also decide what its scores compute in
 */
public record CacheFormat(Element entries, Element indexKeys) {
    /** Format of an element. */
    public enum Element {
        FP4(Arithmetic.FP4),
        FP8(Arithmetic.FP8),
        BF16(Arithmetic.BF16);

        private final Arithmetic arithmetic;

        Element(Arithmetic arithmetic) {
            this.arithmetic = arithmetic;
        }

        /** What products of two such elements compute in. */
        public Arithmetic arithmetic() {
            return arithmetic;
        }

        /** The name on command lines and in reports. */
        public String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** @throws IllegalArgumentException if entries are FP4, which no V4 kernel reads */
    public CacheFormat {
        if (entries == Element.FP4) {
            throw new IllegalArgumentException("cache entries: found fp4, expected fp8 or bf16");
        }
    }

    /** As in {@code fp8 entries, fp4 index keys}. */
    @Override
    public String toString() {
        return entries.key() + " entries, " + indexKeys.key() + " index keys";
    }
}

package dev.weft.backend.cuda.kernel;

import java.util.List;

/**
 * What a kernel finds in {@code call.attribute} and {@code call.table} at every launch for an instance.
 *
 * @param words attribute words; a double as its bits
 * @param tables constant tables; each is put on the device once
 */
public record Attributes(List<Long> words, List<float[]> tables) {
    /** Nothing. */
    public static final Attributes NONE = new Attributes(List.of(), List.of());

    public Attributes {
        words = List.copyOf(words);
        tables = List.copyOf(tables);
    }

    /** Words only. */
    public static Attributes of(long... words) {
        return new Attributes(java.util.Arrays.stream(words).boxed().toList(), List.of());
    }
}

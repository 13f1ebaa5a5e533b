package dev.weft.spi;

import java.util.Locale;

/**
 * Kinds of work of which hardware can do only so much per second. Ordinals equal {@code weft_limit_kind} of weft.h, as far as
 * that goes.
 */
public enum HardwareLimit {
    /** Reading memory, each byte once. */
    READ("memory read", "B/s"),
    /** Multiply-and-add in F32; two operations each. */
    F32_FMA("F32 multiply-add", "op/s"),
    /** Dot products of BF16 pairs with F32 sums. */
    BF16_DOT("BF16 dot product", "op/s"),
    /** Dot products of 8-bit integers with 32-bit sums. */
    INT8_DOT("INT8 dot product", "op/s"),
    /** Dot products of E4M3 values, with sums of any precision. */
    FP8_DOT("FP8 dot product", "op/s");

    private final String title;
    private final String unit;

    HardwareLimit(String title, String unit) {
        this.title = title;
        this.unit = unit;
    }

    /** What it limits, for people. */
    public String title() {
        return title;
    }

    /** Unit of its rates. */
    public String unit() {
        return unit;
    }

    /** The name in reports: {@code read}, {@code f32Fma}, {@code bf16Dot}, {@code int8Dot}, {@code fp8Dot}. */
    public String key() {
        String[] words = name().toLowerCase(Locale.ROOT).split("_");
        return words.length == 1
                ? words[0]
                : words[0] + words[1].substring(0, 1).toUpperCase(Locale.ROOT) + words[1].substring(1);
    }
}

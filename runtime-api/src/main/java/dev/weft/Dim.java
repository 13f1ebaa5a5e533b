package dev.weft;

/**
 * One axis of a {@link Shape}: a fixed extent, or a named extent with bounds that is bound at run time.
 *
 * <p>A named dimension may be used scaled and shifted, {@code factor * name + offset}, so that rows per expert choice
 * ({@code 6*tokens}) and offset lists ({@code sequences+1}) need no second name.
 *
 * @param name the name, empty for a fixed extent
 * @param factor multiplier of the named extent, 0 for a fixed extent
 * @param offset the fixed extent, or what is added to the scaled name
 * @param min smallest value of the name
 * @param max largest value of the name; memory is planned for it
 */
public record Dim(String name, long factor, long offset, long min, long max) {
    public Dim {
        if (name.isEmpty() ? factor != 0 || offset < 0 : factor < 1 || offset < 0 || min < 0 || max < min) {
            throw new ShapeException("dimension: need 0 <= min <= max and a positive factor: name='" + name
                    + "' factor=" + factor + " offset=" + offset + " min=" + min + " max=" + max);
        }
    }

    /** A fixed extent, zero allowed. */
    public static Dim fixed(long extent) {
        return new Dim("", 0, extent, 0, 0);
    }

    /** A named extent in {@code [min, max]}. */
    public static Dim named(String name, long min, long max) {
        if (name.isEmpty()) {
            throw new ShapeException("dimension: a named dimension needs a name");
        }
        return new Dim(name, 1, 0, min, max);
    }

    /** This extent times {@code n}. */
    public Dim times(long n) {
        return new Dim(name, factor * n, offset * n, min, max);
    }

    /** This extent plus {@code n}. */
    public Dim plus(long n) {
        return new Dim(name, factor, offset + n, min, max);
    }

    /** Whether the extent is known without binding a name. */
    public boolean isFixed() {
        return name.isEmpty();
    }

    /** Largest extent: memory is planned for it. */
    public long maximum() {
        return factor * max + offset;
    }

    /** Extent when the name is bound to {@code value}; the fixed extent otherwise. */
    public long at(long value) {
        return factor * value + offset;
    }

    @Override
    public String toString() {
        if (isFixed()) {
            return Long.toString(offset);
        }
        return (factor == 1 ? "" : factor + "*") + name + (offset == 0 ? "" : "+" + offset);
    }
}

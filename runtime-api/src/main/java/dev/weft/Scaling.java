package dev.weft;

/**
 * How block scales attach to a tensor: one {@link DType#F8_E8M0} power of two per block of {@code rows x columns}
 * elements of the last two axes. Values are {@code code * 2^(scale-127)}.
 *
 * <p>Source: model specification, sections 2.4 and 3.3; OCP microscaling formats 1.0 for {@link #MXFP4}.
 *
 * @param rows block height along the second-last axis, 0 for {@link #NONE}
 * @param columns block width along the last axis, 0 for {@link #NONE}
 */
public record Scaling(int rows, int columns) {
    /** No scales: codes are values. */
    public static final Scaling NONE = new Scaling(0, 0);
    /** FP8 weights: one scale per 128 x 128 tile. */
    public static final Scaling FP8_BLOCK_128 = new Scaling(128, 128);
    /** FP8 activations: one scale per row and 128 columns. */
    public static final Scaling FP8_GROUP_128 = new Scaling(1, 128);
    /** FP8 key-value latents: one scale per row and 64 columns. */
    public static final Scaling FP8_GROUP_64 = new Scaling(1, 64);
    /** OCP MX with 32-element blocks: one scale per row and 32 columns. */
    public static final Scaling MXFP4 = new Scaling(1, 32);

    public Scaling {
        if (rows < 0 || columns < 0 || (rows == 0) != (columns == 0)) {
            throw new ShapeException("scaling: block must be positive in both axes: found " + rows + "x" + columns);
        }
    }

    /** Whether there are no scales. */
    public boolean isNone() {
        return rows == 0;
    }

    /** Shape of the scale tensor of a tensor of {@code dims}: the last two axes divided by the block, rounded up. */
    public long[] scaleDims(long[] dims) {
        if (isNone()) {
            return new long[] {0};
        }
        long[] out = dims.clone();
        int last = dims.length - 1;
        out[last] = Math.ceilDiv(dims[last], columns);
        if (dims.length > 1) {
            out[last - 1] = Math.ceilDiv(dims[last - 1], rows);
        }
        return out;
    }

    @Override
    public String toString() {
        return isNone() ? "none" : rows + "x" + columns;
    }
}

package dev.weft.op;

import dev.weft.DType;

/**
 * How far a kernel's result may be from the reference kernel's.
 *
 * @param nmse largest normalised squared error, {@code sum((a-b)^2) / sum(b^2)}
 * @param relative largest absolute difference, as a share of the largest absolute reference value of the tensor
 */
public record Tolerance(double nmse, double relative) {
    /** Same bits; NaN equals NaN. */
    public static final Tolerance EXACT = new Tolerance(0, 0);

    /** Limits of a result that is summed in F32 and rounded once to {@code dtype}. */
    public static Tolerance of(DType dtype) {
        return switch (dtype) {
            case F32 -> new Tolerance(1e-11, 1e-5);
            // one unit in the last place where a sum falls on the other side of a tie
            case BF16 -> new Tolerance(2e-5, 8e-3);
            case F16 -> new Tolerance(1e-6, 1e-3);
            default -> EXACT;
        };
    }

    /** Whether only equal bits pass. */
    public boolean isExact() {
        return nmse == 0 && relative == 0;
    }
}

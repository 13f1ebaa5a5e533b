package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;

/**
 * One operand of a case.
 *
 * @param type fixed type
 * @param data its contents
 * @param pitched whether rows of the first axis lie apart
 */
public record Operand(TensorType type, Data data, boolean pitched) {
    /** An operand with tight rows. */
    public static Operand of(TensorType type, Data data) {
        return new Operand(type, data, false);
    }

    /** Random values of a plain format. */
    public static Operand random(DType dtype, long... extents) {
        return of(TensorType.of(dtype, extents), Data.random());
    }

    /** Given integers as an I32 vector or matrix. */
    public static Operand ints(int[] values, long... extents) {
        return of(TensorType.of(DType.I32, extents), Data.of(values));
    }

    /** This operand with gaps between its rows. */
    public Operand withGaps() {
        return new Operand(type, data, type.shape().rank() > 1);
    }

    /** Elements between the rows: an odd number where the format has whole bytes, so that rows are not aligned. */
    long gap() {
        return pitched ? gapOf(type) : 0;
    }

    static long gapOf(TensorType type) {
        return type.dtype().bits() < 8 ? 6 : 3;
    }
}

package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;

/**
 * An {@code aclScalar} argument.
 *
 * @param type how the value is handed over
 * @param value the value; exact in {@code type}
 */
public record Scalar(AclType type, Number value) {
    /** A FLOAT scalar. */
    public static Scalar of(float value) {
        return new Scalar(AclType.FLOAT, value);
    }

    /** An INT32 scalar. */
    public static Scalar of(int value) {
        return new Scalar(AclType.INT32, value);
    }

    /** An INT64 scalar. */
    public static Scalar of(long value) {
        return new Scalar(AclType.INT64, value);
    }
}

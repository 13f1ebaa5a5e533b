package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Writes numbers into host memory that will be copied to the device. */
final class HostValues {
    private HostValues() {}

    /** Element {@code index} of a row of FLOAT, BF16, INT32 or UINT8, rounded to nearest even. */
    static void set(MemorySegment to, AclType type, long index, float value) {
        switch (type) {
            case FLOAT -> to.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index, value);
            case BF16 -> to.setAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index, (short) DType.BF16.encode(value));
            case INT32 -> to.setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, index, (int) value);
            case UINT8 -> to.set(ValueLayout.JAVA_BYTE, index, (byte) (int) value);
            default -> throw new IllegalArgumentException("host values of type " + type);
        }
    }
}

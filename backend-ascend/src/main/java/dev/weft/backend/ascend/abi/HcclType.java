package dev.weft.backend.ascend.abi;

import dev.weft.DType;
import dev.weft.DTypeException;

/**
 * {@code HcclDataType} (hccl/hccl_types.h): element types of collectives. The 8-bit floats can be moved but not reduced.
 */
public enum HcclType {
    /** Signed byte. */
    INT8(0, true),
    /** 16-bit signed integer. */
    INT16(1, true),
    /** 32-bit signed integer. */
    INT32(2, true),
    /** IEEE binary16. */
    FP16(3, true),
    /** IEEE binary32. */
    FP32(4, true),
    /** 64-bit signed integer. */
    INT64(5, true),
    /** Unsigned byte. */
    UINT8(7, false),
    /** bfloat16. */
    BFP16(11, true),
    /** OCP E4M3FN. */
    FP8E4M3(15, false),
    /** OCP E5M2. */
    FP8E5M2(16, false),
    /** OCP E8M0. */
    FP8E8M0(17, false);

    private final int value;
    private final boolean reducible;

    HcclType(int value, boolean reducible) {
        this.value = value;
        this.reducible = reducible;
    }

    /** The enumerator's value. */
    public int value() {
        return value;
    }

    /** Whether AllReduce and ReduceScatter take it. */
    public boolean reducible() {
        return reducible;
    }

    /**
     * The type that holds elements of {@code dtype}.
     *
     * @throws DTypeException for packed elements, which have to be moved as bytes
     */
    public static HcclType of(DType dtype) {
        return switch (dtype) {
            case F32 -> FP32;
            case BF16 -> BFP16;
            case F16 -> FP16;
            case F8_E4M3 -> FP8E4M3;
            case F8_E5M2 -> FP8E5M2;
            case F8_E8M0 -> FP8E8M0;
            case I8 -> INT8;
            case U8 -> UINT8;
            case I16 -> INT16;
            case I32 -> INT32;
            case I64 -> INT64;
            case F4_E2M1 ->
                throw new DTypeException("collective over " + dtype
                        + ": found two elements per byte, expected whole bytes; move them as " + DType.U8);
        };
    }
}

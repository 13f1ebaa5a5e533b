package dev.weft.backend.ascend.abi;

import dev.weft.DType;

/** {@code aclDataType} (acl/acl_base_rt.h). Values from {@link #HIFLOAT8} on are absent from headers before CANN 9. */
public enum AclType {
    /** IEEE binary32. */
    FLOAT(0, 32),
    /** IEEE binary16. */
    FLOAT16(1, 16),
    /** Signed byte. */
    INT8(2, 8),
    /** 32-bit signed integer. */
    INT32(3, 32),
    /** Unsigned byte. */
    UINT8(4, 8),
    /** 16-bit signed integer. */
    INT16(6, 16),
    /** 16-bit unsigned integer. */
    UINT16(7, 16),
    /** 32-bit unsigned integer. */
    UINT32(8, 32),
    /** 64-bit signed integer. */
    INT64(9, 64),
    /** 64-bit unsigned integer. */
    UINT64(10, 64),
    /** IEEE binary64. */
    DOUBLE(11, 64),
    /** One byte, 0 or 1. */
    BOOL(12, 8),
    /** bfloat16. */
    BF16(27, 16),
    /** Two signed nibbles per byte. */
    INT4(29, 4),
    /** Tapered 8-bit float. */
    HIFLOAT8(34, 8),
    /** OCP E5M2. */
    FLOAT8_E5M2(35, 8),
    /** OCP E4M3FN. */
    FLOAT8_E4M3FN(36, 8),
    /** OCP E8M0. */
    FLOAT8_E8M0(37, 8),
    /** OCP E2M1, two per byte, the low nibble first. */
    FLOAT4_E2M1(40, 4);

    private final int value;
    private final int bits;

    AclType(int value, int bits) {
        this.value = value;
        this.bits = bits;
    }

    /** The enumerator's value. */
    public int value() {
        return value;
    }

    /** Bits of one element. */
    public int bits() {
        return bits;
    }

    /** Bytes of {@code elements} elements, rounded up to whole bytes. */
    public long bytes(long elements) {
        return Math.ceilDiv(Math.multiplyExact(elements, (long) bits), 8L);
    }

    /** The type that holds elements of {@code dtype}. */
    public static AclType of(DType dtype) {
        return switch (dtype) {
            case F32 -> FLOAT;
            case BF16 -> BF16;
            case F16 -> FLOAT16;
            case F8_E4M3 -> FLOAT8_E4M3FN;
            case F8_E5M2 -> FLOAT8_E5M2;
            case F8_E8M0 -> FLOAT8_E8M0;
            case F4_E2M1 -> FLOAT4_E2M1;
            case I8 -> INT8;
            case U8 -> UINT8;
            case I16 -> INT16;
            case I32 -> INT32;
            case I64 -> INT64;
        };
    }
}

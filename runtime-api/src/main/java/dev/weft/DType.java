package dev.weft;

/**
 * Element format of a tensor, spelled as in the safetensors format.
 *
 * <p>{@link #F4_E2M1} is packed two elements per byte, the low nibble holding the even column; published checkpoints
 * declare such weights as {@code I8} with half the columns and the loader retypes them (model specification,
 * section 2.4). Integer formats carry indices and token ids and have no float codec.
 */
public enum DType {
    /** IEEE binary32. */
    F32(32, true),
    /** bfloat16: the upper half of a binary32. */
    BF16(16, true),
    /** IEEE binary16. */
    F16(16, true),
    /** OCP E4M3FN: bias 7, largest 448, no infinity, NaN is S.1111.111. */
    F8_E4M3(8, true),
    /** OCP E5M2: bias 15, largest 57344, with infinities. */
    F8_E5M2(8, true),
    /** OCP E8M0: byte b is 2^(b-127), 255 is NaN, there is no zero. */
    F8_E8M0(8, true),
    /** OCP E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; two per byte. */
    F4_E2M1(4, true),
    /** Signed byte. */
    I8(8, false),
    /** Unsigned byte. */
    U8(8, false),
    /** 16-bit signed integer. */
    I16(16, false),
    /** 32-bit signed integer. */
    I32(32, false),
    /** 64-bit signed integer. */
    I64(64, false);

    private final int bits;
    private final boolean floating;

    DType(int bits, boolean floating) {
        this.bits = bits;
        this.floating = floating;
    }

    /** Width of one element in bits; 4 for {@link #F4_E2M1}. */
    public int bits() {
        return bits;
    }

    /** Whether elements are real numbers, that is, whether {@link #decode} and {@link #encode} apply. */
    public boolean isFloat() {
        return floating;
    }

    /**
     * Bytes of {@code elements} tightly packed elements.
     *
     * @throws DTypeException if the elements do not fill whole bytes or the size exceeds 63 bits
     */
    public long bytes(long elements) {
        try {
            long totalBits = Math.multiplyExact(elements, (long) bits);
            if ((totalBits & 7) != 0) {
                throw new DTypeException(this + ": element count must fill whole bytes: found " + elements);
            }
            return totalBits >>> 3;
        } catch (ArithmeticException e) {
            throw new DTypeException(this + ": size of " + elements + " elements exceeds 63 bits", e);
        }
    }

    /** Value of the low {@link #bits} bits of {@code code}. Exact. */
    public float decode(int code) {
        return switch (this) {
            case F32 -> Float.intBitsToFloat(code);
            case BF16 -> Float.intBitsToFloat(code << 16);
            case F16 -> Float.float16ToFloat((short) code);
            case F8_E4M3 -> SmallFloats.e4m3(code);
            case F8_E5M2 -> SmallFloats.e5m2(code);
            case F8_E8M0 -> SmallFloats.e8m0(code);
            case F4_E2M1 -> SmallFloats.e2m1(code);
            default -> throw notFloat();
        };
    }

    /**
     * Code of {@code value} rounded to nearest, ties to even.
     *
     * <p>E4M3 and E2M1 saturate to their largest finite value, infinities included; E5M2 saturates finite values and
     * keeps infinities. NaN stays NaN where the format has one and becomes the positive largest value in E2M1. E8M0
     * takes the smallest power of two that is not below the value, the rule of the model's block scales (section 3.2);
     * zero and negative values become its
     * smallest code, values above 2^127 its NaN.
     */
    public int encode(float value) {
        return switch (this) {
            case F32 -> Float.floatToRawIntBits(value);
            case BF16 -> SmallFloats.toBf16(value);
            case F16 -> Float.floatToFloat16(value) & 0xFFFF;
            case F8_E4M3 -> SmallFloats.toE4m3(value);
            case F8_E5M2 -> SmallFloats.toE5m2(value);
            case F8_E8M0 -> SmallFloats.toE8m0Ceiling(value);
            case F4_E2M1 -> SmallFloats.toE2m1(value);
            default -> throw notFloat();
        };
    }

    /** {@code value} rounded to this format and widened back. */
    public float round(float value) {
        return this == F32 ? value : decode(encode(value));
    }

    private DTypeException notFloat() {
        return new DTypeException(this + " holds integers: expected a floating-point dtype");
    }
}

package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.backend.ascend.abi.AclType;
import java.util.Arrays;

/**
 * Powers of two between their E8M0 bytes and F32, by integer arithmetic on the bits of floats, which every product has.
 */
final class PowerScales {
    /** One in the exponent field of a float. */
    private static final int EXPONENT = 1 << 23;

    private static final int INFINITY_BITS = 0x7F80_0000;
    private static final int NAN_BYTE = 255;

    private PowerScales() {}

    /** F32 {@code 2^(byte - 127)}; NaN for 255. */
    static Ten decode(Calls c, Ten bytes) {
        Ten integers = c.cast(bytes, AclType.INT32);
        // 2^-127 has exponent field 0 and lives in the fraction
        Ten bits = c.clamp(c.scale(integers, Scalar.of(EXPONENT)), Scalar.of(EXPONENT / 2), null);
        Ten invalid = c.cast(c.atLeast(integers, Scalar.of(NAN_BYTE)), AclType.INT32);
        return c.add(bits, c.scale(invalid, Scalar.of(EXPONENT / 2))).as(AclType.FLOAT);
    }

    /** INT32 {@code ceil(log2 x) + 127} of positive F32 values; 255 for infinity and NaN. */
    static Ten encode(Calls c, Ten x) {
        Ten bits = c.clamp(x.as(AclType.INT32), null, Scalar.of(INFINITY_BITS));
        return exponent(c, c.plus(bits, Scalar.of(EXPONENT - 1)));
    }

    /**
     * INT32 exponent field of non-negative floats or of their bits: the upper half shifted by seven more, as a division
     * that truncates.
     */
    static Ten exponent(Calls c, Ten floats) {
        Ten halves = floats.as(AclType.INT16);
        Ten upper = halves.slice(-1, 1, halves.dim(-1)).step(-1, 2);
        return c.cast(c.scale(c.cast(upper, AclType.FLOAT), 1f / 128), AclType.INT32);
    }

    /** F32 {@code 2^(factor * exponent + addend - 127)}, where the sum must be that of a normal float. */
    static Ten power(Calls c, Ten exponent, int factor, int addend) {
        Ten bits = c.scale(exponent, Scalar.of(factor * EXPONENT));
        return (addend == 0 ? bits : c.plus(bits, Scalar.of(addend * EXPONENT))).as(AclType.FLOAT);
    }

    /** Scales {@code [.., blocks]} repeated to one per element of {@code dims}. */
    static Ten perElement(Calls c, Ten scales, Scaling scaling, long[] dims) {
        int last = dims.length - 1;
        boolean tiles = scaling.rows() > 1;
        long[] blocks = scales.dims();
        long matrices = 1;
        for (int a = 0; a < last - 1; a++) {
            matrices *= dims[a];
        }
        long high = last == 0 ? 1 : blocks[last - 1];
        long wide = blocks[last];
        Ten all = c.emit().temp(scales.type(), matrices, high, scaling.rows(), wide, scaling.columns());
        c.copy(scales.view(matrices, high, 1, wide, 1), all);
        Ten padded = all.view(matrices, high * scaling.rows(), wide * scaling.columns());
        Ten exact = padded.slice(-1, 0, dims[last]);
        exact = tiles ? exact.slice(-2, 0, dims[last - 1]) : exact;
        return dims.length == 3
                ? exact
                : matrices == 1 ? flat(exact, dims) : c.dense(exact).view(dims);
    }

    private static Ten flat(Ten one, long[] dims) {
        return dims.length == 1
                ? one.view(dims)
                : one.view(one.dim(1), one.dim(2)).view(dims);
    }

    /** Codes times scales in {@code to}, F32 or BF16; exact. Codes are looked up, so that no product needs the format. */
    static Ten dequantise(Calls c, Ten codes, DType dtype, Scaling scaling, Ten scaleBytes, AclType to) {
        long[] dims = codes.dims();
        Ten values = lookUp(c, codes, dtype, to).view(dims);
        Ten scales = c.cast(decode(c, scaleBytes), to);
        return c.mul(values, perElement(c, scales, scaling, dims));
    }

    private static Ten lookUp(Calls c, Ten codes, DType dtype, AclType to) {
        int perByte = 8 / dtype.bits();
        Emit e = c.emit();
        Ten table = e.constant("values of " + dtype + " " + to, to, new long[] {256, perByte}, s -> {
            for (int i = 0; i < 256 * perByte; i++) {
                HostValues.set(
                        s, to, i, dtype.decode(i / perByte >> i % perByte * dtype.bits() & (1 << dtype.bits()) - 1));
            }
        });
        Ten bytes = c.dense(codes).as(AclType.UINT8);
        Ten index = c.cast(bytes.view(bytes.elements()), AclType.INT32);
        Ten values = e.temp(to, index.elements(), perByte);
        c.gather(table, index, values);
        return values;
    }

    /** The extents with the last axis cut into blocks. */
    static long[] blocked(long[] dims, int block) {
        long[] out = Arrays.copyOf(dims, dims.length + 1);
        out[dims.length - 1] = dims[dims.length - 1] / block;
        out[dims.length] = block;
        return out;
    }
}

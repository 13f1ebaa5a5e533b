package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.backend.ascend.abi.AclType;
import java.util.Arrays;

/**
 * Powers of two between their E8M0 bytes and F32, by tables and by integer arithmetic on the bits of floats, which every
 * product has.
 */
final class PowerScales {
    /** One in the exponent field of a float. */
    private static final int EXPONENT = 1 << 23;

    private static final int INFINITY_BITS = 0x7F80_0000;
    private static final int BIAS = 127;
    private static final int NAN_BYTE = 255;

    /** Entries of the tables that {@link #roundedUp} points into: the upper halves of floats that are not negative. */
    private static final int HALVES = 1 << 15;

    /** Upper halves with the same exponent. */
    private static final int PER_EXPONENT = 1 << 7;

    private PowerScales() {}

    /** F32 {@code 2^(byte - 127)}; NaN for 255. */
    static Ten decode(Calls c, Ten bytes) {
        return decode(c, bytes, AclType.FLOAT);
    }

    private static Ten decode(Calls c, Ten bytes, AclType to) {
        Ten table = table(c, "powers of two " + to, to, NAN_BYTE + 1, b -> power(b, 1));
        return look(c, table, c.cast(bytes, AclType.INT32));
    }

    private static float power(int exponent, int sign) {
        return exponent == NAN_BYTE ? Float.NaN : Math.scalb(1f, sign * (exponent - BIAS));
    }

    /**
     * INT32 entries of the tables below for the smallest power of two that is not less than a value.
     *
     * @param x F32, not negative
     * @param least takes the place of smaller values, a normal number
     */
    static Ten roundedUp(Calls c, Ten x, float least) {
        // floats that are not negative are ordered as their bits, and NaN comes last
        Ten bits = c.clamp(x.as(AclType.INT32), Scalar.of(Float.floatToRawIntBits(least)), Scalar.of(INFINITY_BITS));
        return c.cast(upperHalves(c.plus(bits, Scalar.of(EXPONENT - 1))), AclType.INT32);
    }

    /** F32 powers, NaN for what was not finite. @param entries of {@link #roundedUp} */
    static Ten powers(Calls c, Ten entries) {
        return look(c, table(c, "rounded up", AclType.FLOAT, HALVES, i -> power(i / PER_EXPONENT, 1)), entries);
    }

    /** As {@link #powers}, their inverses. */
    static Ten inverses(Calls c, Ten entries) {
        return look(
                c, table(c, "rounded up, inverse", AclType.FLOAT, HALVES, i -> power(i / PER_EXPONENT, -1)), entries);
    }

    /** As {@link #powers}, their E8M0 bytes; 255 for what was not finite. @param to dense UINT8 */
    static void bytes(Calls c, Ten entries, Ten to) {
        Ten table = table(c, "rounded up, bytes", AclType.UINT8, HALVES, i -> i / PER_EXPONENT);
        c.gather(table, entries.view(entries.elements()), to.view(entries.elements(), 1));
    }

    /** The value of a table's entry. */
    private interface Value {
        float of(int entry);
    }

    private static Ten table(Calls c, String id, AclType type, int entries, Value value) {
        return c.emit().constant(id, type, new long[] {entries, 1}, s -> {
            for (int i = 0; i < entries; i++) {
                HostValues.set(s, type, i, value.of(i));
            }
        });
    }

    private static Ten look(Calls c, Ten table, Ten entries) {
        Ten values = c.emit().temp(table.type(), entries.elements(), 1);
        c.gather(table, entries.view(entries.elements()), values);
        return values.view(entries.dims());
    }

    /**
     * INT32 exponent field of non-negative floats or of their bits: the upper half shifted by seven more, as a division
     * that truncates.
     */
    static Ten exponent(Calls c, Ten floats) {
        return c.cast(c.scale(c.cast(upperHalves(floats), AclType.FLOAT), 1f / PER_EXPONENT), AclType.INT32);
    }

    private static Ten upperHalves(Ten words) {
        Ten halves = words.as(AclType.INT16);
        return halves.slice(-1, 1, halves.dim(-1)).step(-1, 2);
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
        return c.mul(values, perElement(c, decode(c, scaleBytes, to), scaling, dims));
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

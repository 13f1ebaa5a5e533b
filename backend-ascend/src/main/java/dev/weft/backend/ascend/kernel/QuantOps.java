package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Dequantize;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import java.util.List;
import java.util.Map;

/**
 * Block quantisation with power-of-two scales. The vendor's block and MX quantisers choose other scales (FP32 quotients,
 * floors of exponents), so the scale is always formed from the bits of the largest value; only the rounding to narrow
 * codes has an operator, {@code aclnnCast} on Ascend 950.
 */
final class QuantOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            Quantize.class,
            List.of(
                    Way.of("aclnnCast", (op, e) -> quantise(op, e, QuantOps::castCodes))
                            .needing(Profile.Capability.NARROW_FLOATS),
                    Way.composite((op, e) -> quantise(op, e, QuantOps::arithmeticCodes))),
            FakeQuantize.class,
            List.of(
                    Way.of("aclnnCast", (op, e) -> fake(op, e, QuantOps::castValues))
                            .needing(Profile.Capability.NARROW_FLOATS),
                    Way.composite((op, e) -> fake(op, e, QuantOps::arithmeticValues))),
            Dequantize.class,
            List.of(
                    Way.of("aclnnCast", QuantOps::castBack).needing(Profile.Capability.NARROW_FLOATS),
                    Way.composite(QuantOps::lookUp)));

    private QuantOps() {}

    /** A narrow format's grid. */
    private enum Grid {
        E4M3(DType.F8_E4M3, 448, 1e-4f, 3, -6),
        E2M1(DType.F4_E2M1, 6, 6 * 0x1p-126f, 1, 0);

        private final DType dtype;
        private final float largest;
        private final float floor;
        private final int mantissaBits;
        private final int smallestExponent;

        Grid(DType dtype, float largest, float floor, int mantissaBits, int smallestExponent) {
            this.dtype = dtype;
            this.largest = largest;
            this.floor = floor;
            this.mantissaBits = mantissaBits;
            this.smallestExponent = smallestExponent;
        }

        static Grid of(DType dtype) {
            return dtype == DType.F8_E4M3 ? E4M3 : E2M1;
        }

        AclType type() {
            return AclType.of(dtype);
        }

        int codeOfNan() {
            return this == E4M3 ? 0x7F : 0;
        }
    }

    /**
     * Blocks before rounding. A scale is not less than the largest value over the grid's largest but for roundings of F32,
     * so that no value leaves the grid by more than what rounds back to its end.
     *
     * @param values F32 {@code [.., blocks, block]}, divided by the scale; NaN in blocks that are not finite
     * @param scales entries of {@link PowerScales#powers} {@code [.., blocks, 1]}
     */
    private record Blocks(Ten values, Ten scales) {
        static Blocks of(Calls c, Ten x, int block, Grid grid) {
            Ten blocks = c.float32(c.dense(x)).view(PowerScales.blocked(x.dims(), block));
            float share = 1 / grid.largest;
            Ten scales = PowerScales.roundedUp(c, c.scale(c.max(c.abs(blocks)), share), grid.floor * share);
            return new Blocks(c.mul(blocks, PowerScales.inverses(c, scales)), scales);
        }
    }

    /** Rounds F32 values to the grid. */
    private interface Rounding {
        /** F32 values on the grid. */
        Ten round(Calls c, Ten values, Grid grid);
    }

    /** Writes the codes of F32 values. */
    private interface Coding {
        void write(Calls c, Ten values, Grid grid, Ten codes);
    }

    private static void quantise(OpInstance op, Emit e, Coding coding) {
        Quantize o = (Quantize) op.op();
        Calls c = new Calls(e);
        Grid grid = Grid.of(o.dtype());
        Ten x = e.operand(0);
        Blocks b = Blocks.of(c, x, o.scaling().columns(), grid);
        coding.write(c, b.values().view(x.dims()), grid, e.operand(1));
        PowerScales.bytes(c, b.scales(), e.scales(1));
    }

    /** {@code aclnnCast} rounds to nearest even; E2M1 has no NaN and must get zeros. */
    private static void castCodes(Calls c, Ten values, Grid grid, Ten codes) {
        Ten finite = grid == Grid.E4M3
                ? values
                : c.select(c.equal(values, values), values, c.constant(AclType.FLOAT, 0, values.rank()));
        if (codes.isDense()) {
            c.cast(finite, codes);
        } else {
            c.copyBits(c.cast(finite, grid.type()), codes);
        }
    }

    /**
     * Magnitudes in units of the last place of their binade.
     *
     * @param exponents INT32 exponent field of each value's binade, not below that of the smallest normal code
     * @param counts F32 {@code 2^23 + n}, n being the number of units, rounded to nearest even by the addition
     */
    private record Units(Ten exponents, Ten counts) {
        static Units of(Calls c, Ten values, Grid grid) {
            Ten magnitude = c.abs(values);
            int least = 127 + grid.smallestExponent;
            // the upper bound keeps NaN from overflowing the integers below; its code is replaced anyway
            Ten exponents = c.clamp(PowerScales.exponent(c, magnitude), Scalar.of(least), Scalar.of(127 + 9));
            Ten perUnit = PowerScales.power(c, exponents, -1, 254 + grid.mantissaBits);
            return new Units(exponents, c.plus(c.mul(magnitude, perUnit), Scalar.of(0x1p23f)));
        }
    }

    private static void arithmeticCodes(Calls c, Ten values, Grid grid, Ten codes) {
        Units u = Units.of(c, values, grid);
        int perBinade = 1 << grid.mantissaBits;
        int offset = -Float.floatToRawIntBits(0x1p23f) - perBinade * (127 + grid.smallestExponent);
        Ten magnitude = c.plus(
                c.add(u.counts().as(AclType.INT32), c.scale(u.exponents(), Scalar.of(perBinade))), Scalar.of(offset));
        Ten positive = c.atLeast(values.as(AclType.INT32), Scalar.of(0));
        Ten signed = c.select(positive, magnitude, c.plus(magnitude, Scalar.of(1 << grid.dtype.bits() - 1)));
        Ten nan = c.constant(AclType.INT32, grid.codeOfNan(), values.rank());
        Ten code = c.select(c.equal(values, values), signed, nan);
        Ten bytes = codes.as(AclType.UINT8);
        if (grid == Grid.E2M1) {
            Ten high = c.scale(code.slice(-1, 1, code.dim(-1)).step(-1, 2), Scalar.of(16));
            code = c.add(code.step(-1, 2), high);
        }
        c.cast(code, bytes);
    }

    private static void fake(OpInstance op, Emit e, Rounding rounding) {
        FakeQuantize o = (FakeQuantize) op.op();
        Calls c = new Calls(e);
        Ten x = e.operand(0);
        Ten y = e.operand(1);
        if (o.lanes() < x.dim(-1)) {
            c.copy(x.slice(-1, o.lanes(), x.dim(-1)), y.slice(-1, o.lanes(), x.dim(-1)));
        }
        if (o.lanes() == 0) {
            return;
        }
        Ten part = x.slice(-1, 0, o.lanes());
        c.cast(onGrid(c, part, o.block(), Grid.of(o.dtype()), rounding), y.slice(-1, 0, o.lanes()));
    }

    private static Ten onGrid(Calls c, Ten part, int block, Grid grid, Rounding rounding) {
        Blocks b = Blocks.of(c, part, block, grid);
        Ten rounded = rounding.round(c, b.values(), grid);
        return c.mul(rounded, PowerScales.powers(c, b.scales())).view(part.dims());
    }

    /** F32 rows whose first {@code lanes} are rounded to a narrow format in blocks, by arithmetic that every product has. */
    static Ten onGrid(Calls c, Ten x, long lanes, int block, DType dtype) {
        Ten rounded = onGrid(c, x.slice(-1, 0, lanes), block, Grid.of(dtype), QuantOps::arithmeticValues);
        if (lanes == x.dim(-1)) {
            return rounded;
        }
        Ten y = c.emit().temp(AclType.FLOAT, x.dims());
        c.copy(rounded, y.slice(-1, 0, lanes));
        c.copy(x.slice(-1, lanes, x.dim(-1)), y.slice(-1, lanes, x.dim(-1)));
        return y;
    }

    /** Rounds {@code part} to a narrow format in blocks, by the product's casts where it has them. */
    static void toGrid(Calls c, Ten part, int block, DType dtype) {
        boolean casts = c.emit().profile().has(Profile.Capability.NARROW_FLOATS);
        Rounding rounding = casts ? QuantOps::castValues : QuantOps::arithmeticValues;
        c.cast(onGrid(c, part, block, Grid.of(dtype), rounding), part);
    }

    private static Ten castValues(Calls c, Ten values, Grid grid) {
        return c.cast(c.cast(values, grid.type()), AclType.FLOAT);
    }

    private static Ten arithmeticValues(Calls c, Ten values, Grid grid) {
        Units u = Units.of(c, values, grid);
        Ten unit = PowerScales.power(c, u.exponents(), 1, -grid.mantissaBits);
        Ten magnitude = c.mul(c.plus(u.counts(), Scalar.of(-0x1p23f)), unit);
        Ten positive = c.atLeast(values.as(AclType.INT32), Scalar.of(0));
        return c.select(positive, magnitude, c.neg(magnitude));
    }

    private static void castBack(OpInstance op, Emit e) {
        TensorType type = op.inputs().getFirst();
        Calls c = new Calls(e);
        Ten values = c.cast(c.dense(e.operand(0)), AclType.FLOAT);
        Ten scales = PowerScales.decode(c, e.scales(0));
        multiply(c, values, PowerScales.perElement(c, scales, type.scaling(), values.dims()), e.operand(1));
    }

    private static void lookUp(OpInstance op, Emit e) {
        TensorType type = op.inputs().getFirst();
        Calls c = new Calls(e);
        Ten y = e.operand(1);
        Ten wide = PowerScales.dequantise(c, e.operand(0), type.dtype(), type.scaling(), e.scales(0), AclType.FLOAT);
        c.cast(wide, y);
    }

    private static void multiply(Calls c, Ten values, Ten scales, Ten y) {
        Ten wide = c.wide(y);
        c.mul(values, scales, wide);
        c.round(wide, y);
    }
}

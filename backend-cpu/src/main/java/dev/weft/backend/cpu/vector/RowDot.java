package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One row of activations times one row of FP8 or FP4 weights that are multiplied as they are decoded: for a single row of
 * activations, where storing decoded weights costs more than the product. The operations are those of {@link WeightDecoder} and
 * {@link Tile#one} in their order, so the bits are theirs.
 *
 * <p>The loops are short straight code: vectors that inner loops hand to outer ones become objects, and so do those of long
 * bodies. FP4 therefore goes by half steps, four vectors of floats like FP8.
 */
final class RowDot {
    private static final int L = Lanes.COUNT;

    private RowDot() {}

    /** Whether there is a loop for weights of {@code k} columns. */
    static boolean supports(DType dtype, Scaling scaling, int k) {
        if (k % WeightDecoder.STEP != 0) {
            return false;
        }
        return switch (dtype) {
            case F8_E4M3 -> scaling.equals(Scaling.FP8_BLOCK_128) && scaling.columns() % WeightDecoder.STEP == 0;
            case F4_E2M1 -> scaling.equals(Scaling.MXFP4) && L == 16;
            default -> false;
        };
    }

    /**
     * Sums of the lanes.
     *
     * @param x activations in the order of decoded weights, from {@code at} on
     * @param codes address of the row's codes
     * @param scales address of its scale bytes
     * @param totals receives a vector at {@code total}
     * @return false if there is something that only the decoder knows: then the sums are void
     */
    static boolean sums(DType dtype, float[] x, int at, long codes, long scales, int steps, float[] totals, int total) {
        return dtype == DType.F8_E4M3
                ? e4m3(x, at, codes, scales, steps, totals, total)
                : e2m1(x, at, codes, scales, steps, totals, total);
    }

    /** False if there are codes of NaN. */
    private static boolean e4m3(float[] x, int at, long codes, long scales, int steps, float[] totals, int total) {
        FloatVector sum = FloatVector.zero(Lanes.SPECIES);
        // bytes 0x7F and 0xFF carry into their top bit
        IntVector carries = IntVector.zero(WeightDecoder.WORDS);
        int words = steps * WeightDecoder.VECTORS / 4;
        for (int w = 0; w < words; w++) {
            IntVector c = WeightDecoder.words(codes + (long) w * WeightDecoder.WORD_BYTES);
            int first = w * 4 * L;
            FloatVector scale = FloatVector.broadcast(
                    Lanes.SPECIES, Memory.scale(scales + first / Scaling.FP8_BLOCK_128.columns()));
            int i = at + first;
            sum = load(x, i).fma(WeightDecoder.e4m3(left(c, 24)).mul(scale), sum);
            sum = load(x, i + L).fma(WeightDecoder.e4m3(left(c, 16)).mul(scale), sum);
            sum = load(x, i + 2 * L).fma(WeightDecoder.e4m3(left(c, 8)).mul(scale), sum);
            sum = load(x, i + 3 * L).fma(WeightDecoder.e4m3(c).mul(scale), sum);
            carries = carries.or(c.and(0x7F7F7F7F).add(0x01010101));
        }
        sum.intoArray(totals, total);
        return !carries.and(0x80808080).compare(VectorOperators.NE, 0).anyTrue();
    }

    /** False if there are scales of 2^-127, which is subnormal, or NaN. */
    private static boolean e2m1(float[] x, int at, long codes, long scales, int steps, float[] totals, int total) {
        FloatVector sum = FloatVector.zero(Lanes.SPECIES);
        int special = 0;
        for (int half = 0; half < 2 * steps; half++) {
            int four = Memory.i32(scales + (long) (half >> 1) * Integer.BYTES);
            special |= zeroBytes(four) | zeroBytes(~four);
            FloatVector scale = IntVector.broadcast(WeightDecoder.WORDS, four)
                    .lanewise(VectorOperators.LSHR, WeightDecoder.SCALE_SHIFTS)
                    .and(0xFF)
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            IntVector c =
                    right(WeightDecoder.words(codes + (long) (half >> 1) * WeightDecoder.WORD_BYTES), (half & 1) * 16);
            int i = at + half * 4 * L;
            sum = load(x, i).fma(WeightDecoder.e2m1(c).mul(scale), sum);
            sum = load(x, i + L).fma(WeightDecoder.e2m1(right(c, 4)).mul(scale), sum);
            sum = load(x, i + 2 * L).fma(WeightDecoder.e2m1(right(c, 8)).mul(scale), sum);
            sum = load(x, i + 3 * L).fma(WeightDecoder.e2m1(right(c, 12)).mul(scale), sum);
        }
        sum.intoArray(totals, total);
        return special == 0;
    }

    /** Not zero if a byte is; a byte above one that is may count as well. */
    private static int zeroBytes(int bytes) {
        return bytes - 0x01010101 & ~bytes & 0x80808080;
    }

    private static IntVector right(IntVector codes, int bits) {
        return codes.lanewise(VectorOperators.LSHR, bits);
    }

    private static FloatVector load(float[] from, int at) {
        return FloatVector.fromArray(Lanes.SPECIES, from, at);
    }

    private static IntVector left(IntVector codes, int bits) {
        return codes.lanewise(VectorOperators.LSHL, bits);
    }
}

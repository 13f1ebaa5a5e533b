package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One row of activations times one row of FP8 weights that are multiplied as they are decoded: for a single row of
 * activations, where storing decoded weights costs more than the product. The operations are those of {@link WeightDecoder} and
 * {@link Tile#one} in their order, so the bits are theirs.
 *
 * <p>The loop is short straight code: vectors that inner loops hand to outer ones become objects. FP4 codes are not
 * multiplied like this, for the longer body of their step was measured slower than storing.
 */
final class RowDot {
    private static final int L = Lanes.COUNT;

    private RowDot() {}

    /** Whether there is a loop for weights of {@code k} columns. */
    static boolean supports(DType dtype, Scaling scaling, int k) {
        return dtype == DType.F8_E4M3
                && scaling.equals(Scaling.FP8_BLOCK_128)
                && scaling.columns() % WeightDecoder.STEP == 0
                && k % WeightDecoder.STEP == 0;
    }

    /**
     * Sums of the lanes.
     *
     * @param x activations in the order of decoded weights, from {@code at} on
     * @param codes address of the row's codes
     * @param scales address of its scale bytes
     * @param totals receives a vector at {@code total}
     * @return false if there are codes of NaN, which only the decoder knows: then the sums are void
     */
    static boolean e4m3(float[] x, int at, long codes, long scales, int steps, float[] totals, int total) {
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

    private static FloatVector load(float[] from, int at) {
        return FloatVector.fromArray(Lanes.SPECIES, from, at);
    }

    private static IntVector left(IntVector codes, int bits) {
        return codes.lanewise(VectorOperators.LSHL, bits);
    }
}

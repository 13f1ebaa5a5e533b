package dev.weft.reference;

import dev.weft.DType;
import dev.weft.Scaling;

/** Block-scaled weights of the golden data, in checkpoint form. */
final class GoldenWeights {
    private GoldenWeights() {}

    /** E4M3 codes with one scale per 128 x 128 tile. */
    static Operand fp8(GoldenTensors golden, String codes, String scales) {
        return Operand.codes(
                DType.F8_E4M3, Scaling.FP8_BLOCK_128, golden.codes(codes), golden.codes(scales), golden.shape(codes));
    }

    /** Two E2M1 codes per byte with one scale per row and 32 columns. */
    static Operand fp4(GoldenTensors golden, String packed, String scales) {
        long[] shape = golden.shape(packed);
        shape[shape.length - 1] *= 2;
        return Operand.codes(DType.F4_E2M1, Scaling.MXFP4, golden.codes(packed), golden.codes(scales), shape);
    }
}

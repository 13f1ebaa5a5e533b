package dev.weft.op;

import dev.weft.DType;
import dev.weft.Scaling;

/** Operand rules of the three matrix products. */
final class Weights {
    private Weights() {}

    /** Activation {@code x} and weight {@code w} in formats whose product is defined, and the result dtype. */
    static void check(Rules r, int x, int w, DType out) {
        r.dtype(x, DType.F32, DType.BF16, DType.F8_E4M3);
        r.scaling(x, r.at(x).dtype() == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        r.dtype(w, DType.F32, DType.BF16, DType.F8_E4M3, DType.F4_E2M1);
        switch (r.at(w).dtype()) {
            case F8_E4M3 -> r.scaling(w, Scaling.FP8_BLOCK_128);
            case F4_E2M1 -> r.scaling(w, Scaling.MXFP4);
            default -> r.scaling(w, Scaling.NONE);
        }
        if (r.at(w).dtype() == DType.F4_E2M1) {
            r.multiple(w, -1, 32, "whole MX blocks");
        }
        r.require(x, out == DType.F32 || out == DType.BF16, "out must be F32 or BF16: found " + out);
    }
}

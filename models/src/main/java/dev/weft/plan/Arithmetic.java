package dev.weft.plan;

import dev.weft.DType;

/** What a matrix product computes in: the peak that bounds it, and its weight in equivalent FP8 FLOPs. */
public enum Arithmetic {
    /** FP4 by FP4: scores of the indexer. */
    FP4(0.5),
    /** FP8 by FP8 or by FP4: weights stored in FP8 or FP4. */
    FP8(1),
    /** BF16 by BF16: attention, and weights stored in BF16 or F32. */
    BF16(2);

    private final double weight;

    Arithmetic(double weight) {
        this.weight = weight;
    }

    /** FP8 FLOPs that one FLOP counts for. */
    public double weight() {
        return weight;
    }

    /** What products with weights of a format compute in; activations have 8 bits wherever the weights have 8 or fewer. */
    static Arithmetic ofWeights(DType stored) {
        return stored.bits() <= Byte.SIZE ? FP8 : BF16;
    }
}

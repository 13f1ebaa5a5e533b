package dev.weft.plan;

/**
 * FLOPs of one token; a multiply and an add are two. Look-ups, norms and the quantisers are not counted.
 *
 * @param fp8 products with weights stored in FP8 or FP4
 * @param bf16 products with weights stored in BF16 or F32, the head left out
 * @param head the output head, BF16, which a prompt needs for its last token only
 * @param indexer scores of the indexer
 * @param indexArithmetic what those compute in
 * @param core attention, BF16
 */
public record TokenFlops(
        double fp8, double bf16, double head, double indexer, Arithmetic indexArithmetic, double core) {
    /** All weight products in equivalent FP8 FLOPs. */
    public double linear() {
        return fp8 * Arithmetic.FP8.weight() + (bf16 + head) * Arithmetic.BF16.weight();
    }

    /** The indexer's scores in equivalent FP8 FLOPs. */
    public double weightedIndexer() {
        return indexer * indexArithmetic.weight();
    }

    /** Attention in equivalent FP8 FLOPs. */
    public double weightedCore() {
        return core * Arithmetic.BF16.weight();
    }

    /** All in equivalent FP8 FLOPs: those of a format count by {@link Arithmetic#weight}. */
    public double equivalentFp8() {
        return linear() + weightedIndexer() + weightedCore();
    }

    /** All, each counted once. */
    public double unweighted() {
        return fp8 + bf16 + head + indexer + core;
    }

    /** Seconds of one token on one device that does nothing but compute, with or without the head. */
    double seconds(Peaks peaks, boolean withHead) {
        return fp8 / peaks.rate(Arithmetic.FP8)
                + (bf16 + core + (withHead ? head : 0)) / peaks.rate(Arithmetic.BF16)
                + indexer / peaks.rate(indexArithmetic);
    }
}

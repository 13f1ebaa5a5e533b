package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Scores the compressed entries a query may see and picks the best.
 *
 * <p>Query row i at position p of sequence s sees entries {@code j < (p+1) / ratio}, entry j being
 * {@code keys[pages[s, j / E], j mod E, :]}. {@code score_j = sum_h relu(q[i,h,:] . key_j) * w[i,h]}, heads ascending.
 * In a BF16 flow (q's dtype) the dot product, its product with w, and the final sum are each rounded to BF16. The
 * {@code topK} highest scores are picked; equal scores go to the lower j, NaN ranks below everything. Picks are written
 * in ascending j, then -1 up to {@code topK}. If no more than {@code topK} entries are visible all are picked without
 * scoring.
 *
 * <p>q F32 or BF16 {@code [R, heads, h]} (rotated, Hadamard-rotated and quantised by nodes before); w of q's dtype
 * {@code [R, heads]}; keys: state of q's dtype {@code [P, E, h]}, read only; positions I32 {@code [R]}, starts I32
 * {@code [B+1]}, pages I32 {@code [B, M]}. Result: picks I32 {@code [R, topK]}. Tolerance: the picked sets are equal
 * except where scores differ by less than the F32 (BF16) tolerance. Source: specification 5.6.
 *
 * @param topK entries to pick, 1 or more
 * @param ratio tokens per entry
 */
public record LightningIndex(int topK, int ratio) implements Op {
    public LightningIndex {
        Rules.attribute(
                topK >= 1 && ratio >= 1,
                "lightningIndex",
                "topK and ratio must be positive: found " + topK + ", " + ratio);
    }

    @Override
    public List<String> operands() {
        return List.of("q", "w", "keys", "positions", "starts", "pages");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in)
                .rank(0, 3)
                .flow(0)
                .rank(1, 2)
                .sameDType(1, 0)
                .rank(2, 3)
                .sameDType(2, 0);
        r.same(1, 0, r.dim(0, 0), "one weight per row and head").same(1, 1, r.dim(0, 1), "one weight per row and head");
        r.same(2, 2, r.dim(0, 2), "keys are as wide as queries");
        Batch.check(r, 0, 3, 4);
        Batch.pages(r, 4, 5);
        return List.of(TensorType.of(DType.I32, Shape.of(r.dim(0, 0), Dim.fixed(topK))));
    }

    @Override
    public double flops(List<TensorType> in) {
        TensorType keys = in.get(2);
        double perSequence = in.get(5).shape().dim(1).maximum()
                * (double) keys.shape().dim(1).maximum();
        return 2.0 * in.get(0).maxElements() * perSequence;
    }

    @Override
    public double bytes(List<TensorType> in) {
        return in.get(0).maxDataBytes() + (double) in.get(2).maxDataBytes();
    }
}

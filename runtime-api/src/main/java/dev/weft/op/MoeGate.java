package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Chooses experts and their weights from gate logits.
 *
 * <p>{@code a = score(logits)}: SQRT_SOFTPLUS {@code sqrt(log(1+e^s))} (s itself in place of the logarithm for s &gt;
 * 20), SIGMOID, or SOFTMAX over the experts. Scored selection: the {@code topK} experts with the highest
 * {@code a + bias}; equal values go to the lower expert, NaN ranks below everything. Hashed selection: row
 * {@code table[ids[i], :]}. Weights: {@code a} of the chosen, divided by their sum (not for SOFTMAX), times
 * {@code routeScale}; the bias only selects. Results are written in ascending expert order.
 *
 * <p>logits F32 {@code [R, E]}. Scored: bias F32 {@code [E]}. Hashed: ids I32 {@code [R]} and table I32
 * {@code [V, topK]}; an id outside {@code [0, V)} is a programming error that callers exclude. Results: experts I32
 * {@code [R, topK]}, weights F32 {@code [R, topK]}. Source: specification 6.1.
 *
 * @param topK experts per row
 * @param score scoring function
 * @param hashed whether the token id chooses
 * @param routeScale factor on the weights
 */
public record MoeGate(int topK, Score score, boolean hashed, float routeScale) implements Op {
    /** Scoring functions of the family. */
    public enum Score {
        SQRT_SOFTPLUS,
        SIGMOID,
        SOFTMAX
    }

    public MoeGate {
        Rules.attribute(topK >= 1, "moeGate", "topK must be 1 or more: found " + topK);
    }

    @Override
    public List<String> operands() {
        return hashed ? List.of("logits", "ids", "table") : List.of("logits", "bias");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).dtype(0, DType.F32);
        long experts = r.extent(0, 1);
        r.require(0, topK <= experts, "topK " + topK + " exceeds the number of experts");
        if (hashed) {
            r.rank(1, 1).dtype(1, DType.I32).same(1, 0, r.dim(0, 0), "one token id per row");
            r.rank(2, 2).dtype(2, DType.I32).fixed(2, 1, topK, "one expert per choice");
        } else {
            r.rank(1, 1).dtype(1, DType.F32).same(1, 0, r.dim(0, 1), "one bias per expert");
        }
        Shape chosen = Shape.of(r.dim(0, 0), Dim.fixed(topK));
        return List.of(TensorType.of(DType.I32, chosen), TensorType.of(DType.F32, chosen));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 4.0 * in.getFirst().maxElements();
    }
}

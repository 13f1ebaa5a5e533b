package dev.weft.op;

import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Draws one token per row. Temperature 0 takes the largest logit, ties to the lower id. Otherwise
 * {@code p = softmax(logits / temperature)} in F64; ids are ordered by falling p (ties: lower id first) and cut after the
 * first whose cumulative sum reaches {@code topP}; the draw is the first kept id whose cumulative sum exceeds
 * {@code uniform * (sum of the kept)}. NaN logits count as probability 0; a row without a finite logit gives id 0.
 *
 * <p>logits F32 {@code [R, V]}; temperature, topP, uniform F32 {@code [R]}, uniform in [0, 1). Result I32 {@code [R]}.
 * Tolerance: exact. Source: specification 7.2.
 */
public record Sample() implements Op {
    @Override
    public List<String> operands() {
        return List.of("logits", "temperature", "topP", "uniform");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).dtype(0, DType.F32);
        for (int i = 1; i < 4; i++) {
            r.rank(i, 1).dtype(i, DType.F32).same(i, 0, r.dim(0, 0), "one value per row");
        }
        return List.of(TensorType.of(DType.I32, Shape.of(r.dim(0, 0))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 4.0 * in.getFirst().maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

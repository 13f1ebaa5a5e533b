package dev.weft.op;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.util.List;

/**
 * Root-mean-square normalisation over the last axis with a weight.
 *
 * <p>{@code v = mean(x^2)}; {@code y = round(w * (x * 1/sqrt(v + eps)))}, all in F32 with one rounding to x's dtype at
 * the end. x F32 or BF16 {@code [..., d]}, w F32 or BF16 {@code [d]}, y like x. Source: specification 4.2.
 *
 * @param eps added to the mean square
 */
public record RmsNorm(float eps) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x", "w");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in)
                .minRank(0, 2)
                .flow(0)
                .rank(1, 1)
                .dtype(1, DType.F32, DType.BF16)
                .scaling(1, Scaling.NONE);
        r.same(1, 0, r.dim(0, -1), "one weight per column of x");
        return List.of(r.at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 4.0 * in.getFirst().maxElements();
    }
}

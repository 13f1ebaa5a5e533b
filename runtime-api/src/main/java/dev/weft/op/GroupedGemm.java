package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.List;

/**
 * One linear layer per group of columns: {@code y[i, g, :] = x[i, g, :] * w[g]^T}.
 *
 * <p>x {@code [R, G, K]}, w {@code [G, N, K]}, y {@code [R, G, N]}; formats, sums and rounding as in {@link Gemm}. V4's
 * grouped output projection {@code wo_a}: x is not quantised although the weights are FP8. Source: specification 5.8.
 *
 * @param out dtype of the result, F32 or BF16
 */
public record GroupedGemm(DType out) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x", "w");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 3).rank(1, 3);
        Weights.check(r, 0, 1, out);
        r.same(1, 2, r.dim(0, 2), "w is [groups, out, in]; in must equal x's last axis");
        r.same(1, 0, r.dim(0, 1), "one matrix per group");
        return List.of(TensorType.of(out, r.at(0).shape().with(-1, r.dim(1, 1))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 2.0 * in.get(0).maxElements() * in.get(1).shape().dim(1).maximum();
    }
}

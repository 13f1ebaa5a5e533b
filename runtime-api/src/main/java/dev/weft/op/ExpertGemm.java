package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.List;

/**
 * Grouped GEMM over rows sorted by expert: row p of expert e, {@code offsets[e] <= p < offsets[e+1]}, gives
 * {@code y[p, :] = x[p, :] * w[e]^T}.
 *
 * <p>x {@code [P, K]}, w {@code [E, N, K]}, offsets I32 {@code [E+1]} as written by {@link MoeDispatch}, y
 * {@code [P, N]}; formats, sums and rounding as in {@link Gemm}. Experts without rows cost nothing. Source: specification
 * 6.2.
 *
 * @param out dtype of the result, F32 or BF16
 */
public record ExpertGemm(DType out) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x", "w", "offsets");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).rank(1, 3).rank(2, 1).dtype(2, DType.I32);
        Weights.check(r, 0, 1, out);
        r.same(1, 2, r.dim(0, 1), "w is [experts, out, in]; in must equal x's last axis");
        r.same(2, 0, r.dim(1, 0).plus(1), "one offset per expert and one past the end");
        return List.of(TensorType.of(out, r.at(0).shape().with(-1, r.dim(1, 1))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 2.0 * in.get(0).maxElements() * in.get(1).shape().dim(1).maximum();
    }

    @Override
    public double bytes(List<TensorType> in) {
        TensorType w = in.get(1);
        double experts = w.shape().dim(0).maximum();
        double touched = Math.min(experts, in.get(0).shape().dim(0).maximum());
        double all = (double) w.maxDataBytes() + w.maxScaleBytes();
        return Op.super.bytes(in) - all + (experts == 0 ? 0 : all * touched / experts);
    }
}

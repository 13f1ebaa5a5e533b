package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.List;

/**
 * Linear layer without bias: {@code y = x * w^T}.
 *
 * <p>x {@code [..., K]}: F32, BF16, or F8_E4M3 with 1 x 128 scales. w {@code [N, K]} as in checkpoints: F32, BF16,
 * F8_E4M3 with 128 x 128 scales, or F4_E2M1 with 1 x 32 scales. y {@code [..., N]} of dtype {@code out}.
 *
 * <p>Every operand value is exact (code times scale); products and sums are F32 or wider, and for block-scaled weights
 * the sum is formed per K block (128 or 32), scaled and added in ascending block order; one rounding to {@code out}. Any
 * grouping inside a block is allowed if it depends on neither the number of rows nor the thread. Tolerance: that of
 * {@code out}. Source: specification 3.4.
 *
 * @param out dtype of the result, F32 or BF16
 */
public record Gemm(DType out) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x", "w");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 2).rank(1, 2);
        Weights.check(r, 0, 1, out);
        r.same(1, 1, r.dim(0, -1), "w is [out, in]; in must equal x's last axis");
        return List.of(TensorType.of(out, r.at(0).shape().with(-1, r.dim(1, 0))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 2.0 * in.get(0).maxElements() * in.get(1).shape().dim(0).maximum();
    }
}

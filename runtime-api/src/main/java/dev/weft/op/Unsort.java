package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.List;

/**
 * Brings sorted rows back to where they were: {@code z[source[p], :] = y[p, :]}.
 *
 * <p>y F32 or BF16 {@code [P, d]}; source I32 {@code [P]}, a permutation of {@code [0, P)} as {@link MoeDispatch} writes it. z
 * like y, bit for bit. Exact. Source: distributed.md 5.
 */
public record Unsort() implements Op {
    @Override
    public List<String> operands() {
        return List.of("y", "source");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).flow(0).rank(1, 1).dtype(1, DType.I32);
        r.same(1, 0, r.dim(0, 0), "one source per row of y");
        return List.of(r.at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

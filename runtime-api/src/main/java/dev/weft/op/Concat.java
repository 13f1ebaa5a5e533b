package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Joins two tensors along the last axis: {@code y[..., :n] = a}, {@code y[..., n:] = b}. F32, BF16 or I32 without
 * scales, equal dtypes and equal extents but the last. Exact.
 */
public record Concat() implements Op {
    @Override
    public List<String> operands() {
        return List.of("a", "b");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).sameDType(1, 0);
        r.dtype(0, DType.F32, DType.BF16, DType.I32);
        r.rank(1, r.at(0).shape().rank());
        for (int axis = 0; axis < r.at(0).shape().rank() - 1; axis++) {
            r.same(1, axis, r.dim(0, axis), "only the last axis may differ");
        }
        Dim joined = Dim.fixed(r.extent(0, -1) + r.extent(1, -1));
        return List.of(r.at(0).shaped(r.at(0).shape().with(-1, joined)));
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

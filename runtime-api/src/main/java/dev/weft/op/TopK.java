package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * The {@code k} largest values of each row, largest first; equal values in ascending column order, NaN last.
 *
 * <p>x F32 or BF16 {@code [R, n]} with {@code n >= k}. Results: values of x's dtype {@code [R, k]}, columns I32
 * {@code [R, k]}. Exact.
 *
 * @param k values to pick, 1 or more
 */
public record TopK(int k) implements Op {
    public TopK {
        Rules.attribute(k >= 1, "topK", "k must be 1 or more: found " + k);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).flow(0);
        r.require(0, r.extent(0, 1) >= k, "row has fewer than k=" + k + " columns");
        Shape picked = Shape.of(r.dim(0, 0), Dim.fixed(k));
        return List.of(TensorType.of(r.at(0).dtype(), picked), TensorType.of(DType.I32, picked));
    }

    @Override
    public double flops(List<TensorType> in) {
        return in.getFirst().maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

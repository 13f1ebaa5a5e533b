package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of a table: token embedding, or the rows of a step whose logits are wanted.
 *
 * <p>{@code y[i, ...] = table[index[i], ...]}; table F32 or BF16 {@code [V, ...]}, index I32 {@code [R]}, y of dtype
 * {@code out} {@code [R, ...]}. Widening is exact; BF16 to F32 and equal dtypes only. An index outside {@code [0, V)}
 * gives a row of NaN. Tolerance: exact. Source: specification 4.1.
 *
 * @param out dtype of the result
 */
public record Gather(DType out) implements Op {
    @Override
    public List<String> operands() {
        return List.of("table", "index");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 2).flow(0).rank(1, 1).dtype(1, DType.I32);
        r.require(
                0,
                out == DType.F32 || out == r.at(0).dtype(),
                "rows can be copied or widened to F32: found out " + out);
        List<Dim> dims = new ArrayList<>(r.at(0).shape().dims());
        dims.set(0, r.dim(1, 0));
        return List.of(TensorType.of(out, new Shape(dims)));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    @Override
    public double bytes(List<TensorType> in) {
        return 2.0 * infer(in).getFirst().maxDataBytes();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

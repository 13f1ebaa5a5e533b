package dev.weft.op;

import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Copies each row into several residual streams: {@code y[i, j, :] = x[i, :]}.
 *
 * <p>x F32 or BF16 {@code [R, d]}; y {@code [R, copies, d]}. Exact. Source: specification 4.1.
 *
 * @param copies number of streams, 1 or more
 */
public record Expand(int copies) implements Op {
    public Expand {
        Rules.attribute(copies >= 1, "expand", "copies must be 1 or more: found " + copies);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).flow(0);
        return List.of(TensorType.of(r.at(0).dtype(), Shape.of(r.dim(0, 0), Dim.fixed(copies), r.dim(0, 1))));
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

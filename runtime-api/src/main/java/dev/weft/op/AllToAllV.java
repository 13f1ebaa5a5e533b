package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: rank i sends {@code counts[j]} consecutive rows to each rank j, in rank order, and receives the others'
 * rows in rank order.
 *
 * <p>x F32 or BF16 {@code [R, ...]}; counts I64 {@code [ranks]} with sum at most R. Result {@code [ranks*R, ...]}, rows
 * past the received ones undefined. If a rank's counts do not fit, all ranks throw a
 * {@link dev.weft.RequestException} that names it. On one rank it is a copy. Source: specification
 * 6.4.
 *
 * @param ranks size of the group
 */
public record AllToAllV(int ranks) implements Op, Collective {
    public AllToAllV {
        Rules.attribute(ranks >= 1, "allToAllV", "ranks must be 1 or more: found " + ranks);
    }

    @Override
    public List<String> operands() {
        return List.of("x", "counts");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0).rank(1, 1).dtype(1, DType.I64);
        r.same(1, 0, Dim.fixed(ranks), "one count per rank");
        return List.of(r.at(0).shaped(r.at(0).shape().with(0, r.dim(0, 0).times(ranks))));
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

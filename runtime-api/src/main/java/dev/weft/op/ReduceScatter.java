package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: rank i receives rows {@code [i*R/ranks, (i+1)*R/ranks)} of the F32 sum over ranks in rank order.
 *
 * <p>x F32 or BF16 {@code [R, ...]}. On one rank it is a copy. Source: specification 6.3.
 *
 * @param ranks size of the group
 */
public record ReduceScatter(int ranks) implements Op, Collective {
    public ReduceScatter {
        Rules.attribute(ranks >= 1, "reduceScatter", "ranks must be 1 or more: found " + ranks);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0).multiple(0, 0, ranks, "equal shares");
        return List.of(r.at(0).shaped(r.at(0).shape().with(0, dev.weft.Dim.fixed(r.extent(0, 0) / ranks))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return (double) (ranks - 1) * in.getFirst().maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: every rank receives the F32 sum over ranks in rank order, rounded once to x's dtype.
 *
 * <p>x F32 or BF16 {@code [R, ...]}. On one rank it is a copy. Source: specification 6.3.
 *
 * @param ranks size of the group
 */
public record AllReduce(int ranks) implements Op, Collective {
    public AllReduce {
        Rules.attribute(ranks >= 1, "allReduce", "ranks must be 1 or more: found " + ranks);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(new Rules(this, in).minRank(0, 1).flow(0).at(0));
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

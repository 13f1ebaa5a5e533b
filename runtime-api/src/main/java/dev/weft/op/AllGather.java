package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: every rank receives the rows of all ranks in rank order: {@code [ranks*R, ...]}.
 *
 * <p>x F32 or BF16 {@code [R, ...]}. On one rank it is a copy. Source: specification 6.3.
 *
 * @param ranks size of the group
 */
public record AllGather(int ranks) implements Op, Collective {
    public AllGather {
        Rules.attribute(ranks >= 1, "allGather", "ranks must be 1 or more: found " + ranks);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0);
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

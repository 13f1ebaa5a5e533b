package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: every rank receives the x of rank 0.
 *
 * <p>x F32 or BF16 {@code [R, ...]}. On one rank it is a copy. Source: specification 6.3.
 *
 * @param ranks size of the group
 */
public record Broadcast(int ranks) implements Op, Collective {
    public Broadcast {
        Rules.attribute(ranks >= 1, "broadcast", "ranks must be 1 or more: found " + ranks);
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
        return 0;
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

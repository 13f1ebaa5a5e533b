package dev.weft.op;

import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: every rank sends an equal share of its rows to each rank, in rank order, and receives the others' in rank order.
 *
 * <p>x F32 or BF16 {@code [ranks*R, ...]} with R equal on all ranks; result like x, {@code R} rows from each rank. On one rank
 * it is a copy. Sizes are extents, so nothing waits for a count: devices may record it. Exact. Source: distributed.md 5.
 *
 * @param ranks size of the group
 */
public record AllToAll(int ranks) implements Op, Collective {
    public AllToAll {
        Rules.attribute(ranks >= 1, "allToAll", "ranks must be 1 or more: found " + ranks);
    }

    @Override
    public boolean isFixed() {
        return true;
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0);
        Dim rows = r.dim(0, 0);
        r.require(
                0,
                rows.factor() % ranks == 0 && rows.offset() % ranks == 0,
                "rows must be equal shares for " + ranks + " ranks: found " + rows);
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

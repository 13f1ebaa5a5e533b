package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: from rows spread over the ranks to columns spread over them. Rank i receives columns
 * {@code [i*C/ranks, (i+1)*C/ranks)} of the second axis of all ranks' rows, in rank order.
 *
 * <p>x F32 or BF16 {@code [R, C, ...]}; counts I64 {@code [ranks]} from {@link RowCounts}. Result
 * {@code [total, C/ranks, ...]}. Exact. Source: distributed.md 1.
 *
 * @param ranks size of the group, a divisor of C
 * @param total rows of all ranks, as RowCounts binds it
 */
public record ScatterColumns(int ranks, Dim total) implements Op, Collective {
    @Override
    public List<String> operands() {
        return List.of("x", "counts");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 2).flow(0).multiple(0, 1, ranks, "equal shares");
        r.rank(1, 1).dtype(1, DType.I64).fixed(1, 0, ranks, "one count per rank");
        Dim share = Dim.fixed(r.extent(0, 1) / ranks);
        return List.of(r.at(0).shaped(r.at(0).shape().with(0, total).with(1, share)));
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

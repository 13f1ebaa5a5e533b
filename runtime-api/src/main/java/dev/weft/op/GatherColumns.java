package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: the way back of {@link ScatterColumns}: from columns spread over the ranks to rows spread over them. Every
 * rank receives its own rows, the columns of all ranks in rank order.
 *
 * <p>y F32 or BF16 {@code [total, C, ...]}; counts I64 {@code [ranks]} from {@link RowCounts}. Result
 * {@code [rows, ranks*C, ...]}. Exact. Source: distributed.md 1.
 *
 * @param ranks size of the group
 * @param rows rows of this rank
 */
public record GatherColumns(int ranks, Dim rows) implements Op, Collective {
    @Override
    public List<String> operands() {
        return List.of("y", "counts");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 2).flow(0);
        r.rank(1, 1).dtype(1, DType.I64).fixed(1, 0, ranks, "one count per rank");
        Dim all = Dim.fixed(r.extent(0, 1) * ranks);
        return List.of(r.at(0).shaped(r.at(0).shape().with(0, rows).with(1, all)));
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

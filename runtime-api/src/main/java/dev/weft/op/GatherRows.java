package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: every rank receives the rows of all, in rank order, each rank having as many as it has.
 *
 * <p>x F32, BF16, I32 or F8_E4M3 with 1 x 128 scales {@code [R, ...]}; counts I64 {@code [ranks]} from {@link RowCounts}.
 * Result {@code [total, ...]}. Exact. Source: distributed.md 1.
 *
 * @param ranks size of the group
 * @param total rows of all ranks, as RowCounts binds it
 */
public record GatherRows(int ranks, Dim total) implements Op, Collective {
    @Override
    public List<String> operands() {
        return List.of("x", "counts");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).dtype(0, DType.F32, DType.BF16, DType.I32, DType.F8_E4M3);
        r.scaling(0, r.at(0).dtype() == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        r.rank(1, 1).dtype(1, DType.I64).fixed(1, 0, ranks, "one count per rank");
        return List.of(r.at(0).shaped(r.at(0).shape().with(0, total)));
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

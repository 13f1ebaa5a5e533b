package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: the way back of {@link MoeSend}: every row of y goes to the rank its input came from, to the place it had
 * there.
 *
 * <p>y F32 or BF16 {@code [received, d]} in the order of MoeSend; counts I64 {@code [ranks, slots]} from there; offsets I32
 * {@code [experts+1]} that MoeSend was given. Result {@code [rows, d]} sorted by expert as {@link MoeDispatch} sorts, so
 * that {@link MoeCombine} adds in the same order as on one device. Exact. Source: distributed.md 5.
 *
 * @param table which rank holds which experts
 * @param rows rows that this rank had sent
 */
public record MoeReturn(ExpertTable table, Dim rows) implements Op, Collective {
    @Override
    public int ranks() {
        return table.size();
    }

    @Override
    public List<String> operands() {
        return List.of("y", "counts", "offsets");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).flow(0).rank(1, 2).dtype(1, DType.I64);
        r.fixed(1, 0, table.size(), "one row of counts per rank").fixed(1, 1, table.slots(), "one count per expert");
        r.rank(2, 1)
                .dtype(2, DType.I32)
                .fixed(2, 0, table.experts() + 1L, "one offset per expert and one past the end");
        return List.of(r.at(0).shaped(r.at(0).shape().with(0, rows)));
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

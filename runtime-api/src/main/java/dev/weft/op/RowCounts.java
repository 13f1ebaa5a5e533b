package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;
import java.util.Optional;

/**
 * Collective: how many rows every rank has, and with it the rows of all.
 *
 * <p>x F32, BF16 or I32 {@code [R, ...]}, of which only the extent counts. Result I64 {@code [ranks]}, as
 * {@link GatherRows}, {@link ScatterColumns} and {@link GatherColumns} want it. Exact. Source: distributed.md 1.
 *
 * @param ranks size of the group
 * @param total rows of all ranks; the node binds it
 */
public record RowCounts(int ranks, Dim total) implements Op, Collective {
    @Override
    public Optional<Dim> binds() {
        return Optional.of(total);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        new Rules(this, in).minRank(0, 1).dtype(0, DType.F32, DType.BF16, DType.I32);
        return List.of(TensorType.of(DType.I64, ranks));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    /** Nothing is read but an extent. */
    @Override
    public double bytes(List<TensorType> in) {
        return 8.0 * ranks;
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

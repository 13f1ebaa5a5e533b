package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Columns {@code [from, to)} of the last axis. F32, BF16 or I32 without scales. Exact.
 *
 * @param from first column
 * @param to one past the last column
 */
public record Slice(int from, int to) implements Op {
    public Slice {
        Rules.attribute(from >= 0 && to >= from, "slice", "need 0 <= from <= to: found " + from + ", " + to);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).dtype(0, DType.F32, DType.BF16, DType.I32);
        r.require(0, to <= r.extent(0, -1), "columns [" + from + ", " + to + ") exceed the last axis");
        return List.of(r.at(0).shaped(r.at(0).shape().with(-1, Dim.fixed(to - from))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    @Override
    public double bytes(List<TensorType> in) {
        return 2.0 * infer(in).getFirst().maxDataBytes();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

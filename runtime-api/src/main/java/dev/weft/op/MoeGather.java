package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.util.List;

/**
 * Collective: dispatch in the fixed layout. Every rank receives {@code most} rows of all ranks in rank order, whoever they are
 * for: any row may be for any rank, so no smaller room holds every case. {@link MoeDispatch} then finds those for its experts.
 *
 * <p>x F32, BF16 or F8_E4M3 with 1 x 128 scales {@code [R, K]} (codes and scales travel, nothing is quantised again); weights
 * F32 {@code [R, k]}; places I32 {@code [most, k]} of {@link MoePlaces}. Results: rows like x {@code [ranks*most, K]}, weights
 * F32 and places I32 {@code [ranks*most, k]}. Rows that hold nothing have places of -1, and any contents in x and weights.
 * Exact. Source: distributed.md 5.
 *
 * @param ranks size of the group
 * @param most rows for which every rank has room, at least R
 */
public record MoeGather(int ranks, Dim most) implements Op, Collective {
    @Override
    public boolean isFixed() {
        return true;
    }

    @Override
    public List<String> operands() {
        return List.of("x", "weights", "places");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).dtype(0, DType.F32, DType.BF16, DType.F8_E4M3);
        r.scaling(0, r.at(0).dtype() == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        r.rank(1, 2).dtype(1, DType.F32).same(1, 0, r.dim(0, 0), "weights of every row");
        r.rank(2, 2).dtype(2, DType.I32).same(2, 0, most, "places of as many rows as there is room for");
        r.same(2, 1, r.dim(1, 1), "one place per weight");
        r.require(
                2, most.maximum() <= r.dim(0, 0).maximum(), "x must have room for as many rows: found " + r.dim(0, 0));
        return in.stream()
                .map(t -> t.shaped(t.shape().with(0, most.times(ranks))))
                .toList();
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

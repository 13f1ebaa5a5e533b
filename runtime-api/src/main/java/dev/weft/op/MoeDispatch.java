package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Copies each row once per chosen expert and sorts the copies by expert, then by row.
 *
 * <p>x {@code [R, K]} F32, BF16 or F8_E4M3 with 1 x 128 scales (codes and scales travel, nothing is quantised again);
 * experts I32 {@code [R, k]}; weights F32 {@code [R, k]}. Results: rows like x {@code [R*k, K]}; rowWeights F32
 * {@code [R*k]}; source I32 {@code [R*k]}, {@code source[p] = row*k + choice}; offsets I32 {@code [experts+1]}, the first row
 * of every expert and the total. Exact. Source: specification 6.2, 6.4.
 *
 * <p>Choices outside {@code [first, first+experts)} are of experts elsewhere, or of nobody: their copies follow all others, by
 * row, and the total does not count them. There are none if {@code experts == all}.
 *
 * @param experts number of experts here
 * @param first number of the first of them
 * @param all number of experts here and elsewhere
 */
public record MoeDispatch(int experts, int first, int all) implements Op {
    public MoeDispatch {
        Rules.attribute(
                0 <= first && first <= all - experts,
                "moeDispatch",
                "experts from " + first + " on must be some of all: found " + experts + " of " + all);
    }

    /** All experts are here. */
    public MoeDispatch(int experts) {
        this(experts, 0, experts);
    }

    /** Whether choices may be of experts elsewhere, or of nobody. */
    public boolean isPart() {
        return experts != all;
    }

    @Override
    public List<String> operands() {
        return List.of("x", "experts", "weights");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).dtype(0, DType.F32, DType.BF16, DType.F8_E4M3);
        r.scaling(0, r.at(0).dtype() == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        r.rank(1, 2).dtype(1, DType.I32).same(1, 0, r.dim(0, 0), "one list of experts per row");
        r.rank(2, 2).dtype(2, DType.F32).sameShape(2, 1);
        Dim pairs = r.dim(0, 0).times(r.extent(1, 1));
        return List.of(
                r.at(0).shaped(r.at(0).shape().with(0, pairs)),
                TensorType.of(DType.F32, Shape.of(pairs)),
                TensorType.of(DType.I32, Shape.of(pairs)),
                TensorType.of(DType.I32, Shape.of(Dim.fixed(experts + 1L))));
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

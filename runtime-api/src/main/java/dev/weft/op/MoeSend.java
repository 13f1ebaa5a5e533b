package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;
import java.util.Optional;

/**
 * Collective: the rows that {@link MoeDispatch} sorted by expert go to the ranks that hold the experts, each with its
 * weight. Codes and scales travel as they are, nothing is quantised again.
 *
 * <p>x {@code [P, K]} F32, BF16 or F8_E4M3 with 1 x 128 scales, rowWeights F32 {@code [P]} and offsets I32
 * {@code [experts+1]} as MoeDispatch writes them. Results: rows like x {@code [received, K]} in the order (expert, source
 * rank, source row); rowWeights F32 {@code [received]}; offsets I32 {@code [slots+1]}, the first row of every expert held
 * here, in the order of the table, and the total; counts I64 {@code [ranks, slots]}, the rows that came from each rank for
 * each of them, which is the way back ({@link MoeReturn}).
 *
 * <p>Exact; no row is dropped. If a rank would receive more rows than the upper bound of {@code received}, all ranks throw
 * a {@link dev.weft.RequestException} that names the rank, its fullest expert, the count and the capacity. Source:
 * distributed.md 5.
 *
 * @param table which rank holds which experts
 * @param received rows that arrive here; the node binds it
 */
public record MoeSend(ExpertTable table, Dim received) implements Op, Collective {
    public MoeSend {
        Rules.attribute(
                received.maximum() <= Integer.MAX_VALUE,
                "moeSend",
                "received must fit the 32-bit offsets: found up to " + received.maximum() + " rows");
    }

    @Override
    public int ranks() {
        return table.size();
    }

    @Override
    public Optional<Dim> binds() {
        return Optional.of(received);
    }

    @Override
    public List<String> operands() {
        return List.of("x", "rowWeights", "offsets");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).dtype(0, DType.F32, DType.BF16, DType.F8_E4M3);
        r.scaling(0, r.at(0).dtype() == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        r.rank(1, 1).dtype(1, DType.F32).same(1, 0, r.dim(0, 0), "one weight per row");
        r.rank(2, 1)
                .dtype(2, DType.I32)
                .fixed(2, 0, table.experts() + 1L, "one offset per expert and one past the end");
        return List.of(
                r.at(0).shaped(r.at(0).shape().with(0, received)),
                TensorType.of(DType.F32, Shape.of(received)),
                TensorType.of(DType.I32, table.slots() + 1L),
                TensorType.of(DType.I64, table.size(), table.slots()));
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

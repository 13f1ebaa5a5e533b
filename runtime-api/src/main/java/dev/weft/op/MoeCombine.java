package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.TensorType;
import java.util.List;

/**
 * Sums each row's expert outputs in ascending expert order, the shared expert last.
 *
 * <p>{@code out[i] = round((...(0 + y[e_1]) + ... + y[e_k]) + shared[i])}, F32 adds. y F32 or BF16 {@code [R*k, d]} in
 * the order of {@link MoeDispatch}; source I32 {@code [R*k]} from there; shared of y's dtype {@code [R, d]}. out like
 * shared. Since {@link MoeGate} writes experts in ascending order, the choices of a row are summed in choice order.
 * Exact. Source: specification 6.3.
 */
public record MoeCombine() implements Op {
    @Override
    public List<String> operands() {
        return List.of("y", "source", "shared");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in)
                .rank(0, 2)
                .flow(0)
                .rank(1, 1)
                .dtype(1, DType.I32)
                .rank(2, 2)
                .sameDType(2, 0);
        r.same(1, 0, r.dim(0, 0), "one source per row of y").same(2, 1, r.dim(0, 1), "one width");
        Dim pairs = r.dim(0, 0);
        Dim rows = r.dim(2, 0);
        boolean multiple = pairs.isFixed()
                ? rows.isFixed() && (rows.offset() == 0 ? pairs.offset() == 0 : pairs.offset() % rows.offset() == 0)
                : pairs.name().equals(rows.name()) && pairs.factor() % rows.factor() == 0;
        r.require(0, multiple, "rows of y must be a whole multiple of the rows of shared " + r.at(2));
        return List.of(r.at(2));
    }

    @Override
    public double flops(List<TensorType> in) {
        return in.getFirst().maxElements() + (double) in.get(2).maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.List;

/**
 * Exit of a hyper-connection: {@code X'[k] = round(post_k * y + sum_j comb[j, k] * X[j])}, F32, j ascending. The sum
 * runs over the first index of comb.
 *
 * <p>y F32 or BF16 {@code [R, d]}; x of y's dtype {@code [R, H, d]}; post F32 {@code [R, H]}, comb F32
 * {@code [R, H, H]} from {@link HyperPre}. Result like x. Source: specification 4.6.
 */
public record HyperPost() implements Op {
    @Override
    public List<String> operands() {
        return List.of("y", "x", "post", "comb");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in)
                .rank(0, 2)
                .flow(0)
                .rank(1, 3)
                .sameDType(1, 0)
                .rank(2, 2)
                .rank(3, 3);
        r.dtype(2, DType.F32).dtype(3, DType.F32);
        r.same(1, 0, r.dim(0, 0), "one row of streams per row").same(1, 2, r.dim(0, 1), "one width");
        r.same(2, 0, r.dim(0, 0), "one row each").same(2, 1, r.dim(1, 1), "one coefficient per stream");
        r.same(3, 0, r.dim(0, 0), "one row each").same(3, 1, r.dim(1, 1), "a square of streams");
        r.same(3, 2, r.dim(1, 1), "a square of streams");
        return List.of(r.at(1));
    }

    @Override
    public double flops(List<TensorType> in) {
        TensorType x = in.get(1);
        return 2.0 * x.maxElements() * (x.shape().dim(1).maximum() + 1);
    }
}

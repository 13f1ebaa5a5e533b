package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Normalised Walsh-Hadamard rotation of the last axis, natural (Sylvester) order.
 *
 * <p>{@code y = n^-0.5 * x * H_n}, {@code H_2n = [[H_n, H_n], [H_n, -H_n]]}; F32 butterflies from stride 1 upwards, one
 * multiplication by {@code f32(n^-0.5)} at the end, one rounding to x's dtype. x F32 or BF16 {@code [..., n]}, n a power
 * of two, y like x. Source: specification 5.5.
 */
public record Hadamard() implements Op {
    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0);
        r.require(0, Long.bitCount(r.extent(0, -1)) == 1, "last axis must be a power of two");
        return List.of(r.at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        double n = in.getFirst().shape().last().maximum();
        return in.getFirst().maxElements() * (Math.log(n) / Math.log(2) + 1);
    }
}

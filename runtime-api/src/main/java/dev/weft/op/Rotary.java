package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.List;

/**
 * Rotary position embedding of the last {@code parameters.dim()} lanes, interleaved pairs.
 *
 * <p>With {@code a = f32(f32(position) * f_i)}, {@code c = f32(cos a)}, {@code s = f32(sin a)} (both evaluated from the
 * F32 angle): {@code (x0, x1) -> (x0*c - x1*s, x0*s + x1*c)}; the inverse uses {@code -s}. F32 arithmetic, each product
 * rounded, one rounding to x's dtype at the end. Other lanes are copied. x F32 or BF16 {@code [R, w]} or
 * {@code [R, heads, w]}, positions I32 {@code [R]}, y like x. Source: specification 5.1.
 *
 * @param parameters frequencies
 * @param inverse rotate backwards
 */
public record Rotary(RotaryParameters parameters, boolean inverse) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x", "positions");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2, 3).flow(0).rank(1, 1).dtype(1, DType.I32);
        r.same(1, 0, r.dim(0, 0), "one position per row");
        r.require(
                0,
                r.extent(0, -1) >= parameters.dim(),
                "row is narrower than the " + parameters.dim() + " rotated lanes");
        return List.of(r.at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        TensorType x = in.getFirst();
        return 3.0 * x.maxElements() / x.shape().last().maximum() * parameters.dim();
    }
}

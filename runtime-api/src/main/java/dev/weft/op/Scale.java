package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Elementwise {@code y = round(x * factor)}, F32 arithmetic, one rounding to x's dtype. x F32 or BF16, y like x. Exact.
 *
 * @param factor the constant
 */
public record Scale(float factor) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(new Rules(this, in).flow(0).at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return in.getFirst().maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

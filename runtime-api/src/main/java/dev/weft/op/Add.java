package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Elementwise {@code y = round(a + b)}, F32 arithmetic, one rounding to a's dtype.
 *
 * <p>a and b F32 or BF16 of one dtype and shape, y like a. Exact.
 */
public record Add() implements Op {
    @Override
    public List<String> operands() {
        return List.of("a", "b");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(
                new Rules(this, in).flow(0).sameDType(1, 0).sameShape(1, 0).at(0));
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

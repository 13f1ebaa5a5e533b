package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Softmax over the last axis: {@code e_i = exp(x_i - max)}, {@code y = round(e_i / sum e)}, F32. A row whose maximum is
 * negative infinity gives zeros. x F32 or BF16 {@code [..., n]}, y like x.
 */
public record Softmax() implements Op {
    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(new Rules(this, in).minRank(0, 1).flow(0).at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 4.0 * in.getFirst().maxElements();
    }
}

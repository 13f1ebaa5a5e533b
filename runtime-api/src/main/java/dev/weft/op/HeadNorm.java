package dev.weft.op;

import dev.weft.TensorType;
import java.util.List;

/**
 * Root-mean-square normalisation of every query head, without a weight.
 *
 * <p>F32 flow: {@code y = x * 1/sqrt(mean(x^2) + eps)}. BF16 flow, as the publisher evaluates it on BF16 tensors:
 * {@code t = bf16(x*x)}, {@code m = bf16(mean(t))} with F32 accumulation, {@code m = bf16(m + eps)},
 * {@code r = bf16(1/sqrt(m))}, {@code y = bf16(x * r)}. x F32 or BF16 {@code [R, heads, width]}, y like x. Source:
 * specification 5.2.
 *
 * @param eps added to the mean square
 */
public record HeadNorm(float eps) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(new Rules(this, in).rank(0, 3).flow(0).at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 3.0 * in.getFirst().maxElements();
    }
}

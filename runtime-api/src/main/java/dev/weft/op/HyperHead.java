package dev.weft.op;

import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Final collapse of the residual streams: as {@link HyperPre} with {@code pre} only.
 *
 * <p>{@code pre_j = sigmoid((fn . u)_j / sqrt(mean(u^2) + normEps) * scale_0 + base_j) + eps};
 * {@code y = round(sum_j pre_j * x_j)}. x F32 or BF16 {@code [R, H, d]}; fn F32 {@code [H, H*d]}; scale F32 {@code [1]};
 * base F32 {@code [H]}; y {@code [R, d]}. Source: specification 4.7.
 *
 * @param streams H
 * @param normEps epsilon of the root mean square
 * @param eps added to the sigmoid
 */
public record HyperHead(int streams, float normEps, float eps) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x", "fn", "scale", "base");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in);
        Hyper.mixing(r, streams, streams, 1);
        return List.of(TensorType.of(r.at(0).dtype(), Shape.of(r.dim(0, 0), r.dim(0, 2))));
    }

    @Override
    public double flops(List<TensorType> in) {
        return in.getFirst().maxElements() * (4.0 + 2.0 * streams);
    }
}

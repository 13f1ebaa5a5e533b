package dev.weft.op;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.util.List;

/**
 * Entry of a manifold-constrained hyper-connection (mHC): mixes H residual streams into one sublayer input and computes
 * the coefficients that {@link HyperPost} needs.
 *
 * <p>Per row, with u the H*d values of x: {@code mix = (fn . u) / sqrt(mean(u^2) + normEps)};
 * {@code pre_j = sigmoid(mix_j * scale_0 + base_j) + eps}; {@code post_j = 2 sigmoid(mix_{H+j} * scale_1 + base_{H+j})};
 * {@code A_jk = mix_{2H+Hj+k} * scale_2 + base_{2H+Hj+k}}; {@code comb = sinkhorn(A)}: row softmax plus eps, columns
 * divided by (sum + eps), then {@code iterations-1} times rows, columns, each divided by (sum + eps). All F32.
 * {@code y = round(sum_j pre_j * x_j)}, streams ascending.
 *
 * <p>x F32 or BF16 {@code [R, H, d]}; fn F32 {@code [(2+H)H, H*d]}; scale F32 {@code [3]}; base F32 {@code [(2+H)H]}.
 * Results: y {@code [R, d]} of x's dtype, post F32 {@code [R, H]}, comb F32 {@code [R, H, H]}. Source: specification
 * 4.4, 4.5.
 *
 * @param streams H
 * @param iterations Sinkhorn iterations, 1 or more
 * @param normEps epsilon of the root mean square
 * @param eps epsilon of sigmoid and Sinkhorn
 */
public record HyperPre(int streams, int iterations, float normEps, float eps) implements Op {
    public HyperPre {
        Rules.attribute(
                streams >= 1 && iterations >= 1,
                "hyperPre",
                "streams and iterations must be positive: found " + streams + ", " + iterations);
    }

    @Override
    public List<String> operands() {
        return List.of("x", "fn", "scale", "base");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in);
        Hyper.mixing(r, streams, (2L + streams) * streams, 3);
        Dim rows = r.dim(0, 0);
        Dim h = Dim.fixed(streams);
        return List.of(
                TensorType.of(r.at(0).dtype(), Shape.of(rows, r.dim(0, 2))),
                TensorType.of(DType.F32, Shape.of(rows, h)),
                TensorType.of(DType.F32, Shape.of(rows, h, h)));
    }

    @Override
    public double flops(List<TensorType> in) {
        return in.getFirst().maxElements() * (4.0 + 2.0 * (2 + streams) * streams);
    }
}

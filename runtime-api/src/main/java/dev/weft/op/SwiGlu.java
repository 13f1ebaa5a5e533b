package dev.weft.op;

import dev.weft.DType;
import dev.weft.TensorType;
import java.util.ArrayList;
import java.util.List;

/**
 * Clamped gated activation: {@code y = round(w * silu(min(g, limit)) * clamp(u, -limit, limit))} in F32, where
 * {@code silu(x) = x / (1 + e^-x)}; the gate has only an upper bound.
 *
 * <p>gate, up F32 or BF16 {@code [P, n]}; with {@code weighted} also weights F32 {@code [P]}, multiplied before the
 * rounding (the routing weight goes in before the down projection). y like gate. Source: specification 6.2.
 *
 * @param limit clamp, positive infinity for none
 * @param weighted whether rows carry a weight
 */
public record SwiGlu(float limit, boolean weighted) implements Op {
    public SwiGlu {
        Rules.attribute(limit > 0, "swiGlu", "limit must be positive: found " + limit);
    }

    @Override
    public List<String> operands() {
        List<String> names = new ArrayList<>(List.of("gate", "up"));
        if (weighted) {
            names.add("weights");
        }
        return names;
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).rank(0, 2).flow(0).sameShape(1, 0).sameDType(1, 0);
        if (weighted) {
            r.rank(2, 1).dtype(2, DType.F32).same(2, 0, r.dim(0, 0), "one weight per row");
        }
        return List.of(r.at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 6.0 * in.getFirst().maxElements();
    }
}

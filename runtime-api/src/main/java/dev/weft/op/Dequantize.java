package dev.weft.op;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.util.List;

/**
 * Codes times block scales: {@code y = code * 2^(scale-127)}, F32, then one rounding to {@code out}.
 *
 * <p>x F8_E4M3 or F4_E2M1 with any block scaling; y F32 or BF16 of x's shape. Exact. Source: specification 2.4.
 *
 * @param out dtype of the result
 */
public record Dequantize(DType out) implements Op {
    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).dtype(0, DType.F8_E4M3, DType.F4_E2M1);
        r.require(0, !r.at(0).scaling().equals(Scaling.NONE), "expected block scales");
        r.require(0, out == DType.F32 || out == DType.BF16, "out must be F32 or BF16: found " + out);
        return List.of(r.at(0).as(out));
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

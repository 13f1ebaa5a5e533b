package dev.weft.op;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.TensorType;
import java.util.List;

/**
 * Change between F32 and BF16: widening is exact, narrowing rounds to nearest even. Exact.
 *
 * @param out F32 or BF16
 */
public record Cast(DType out) implements Op {
    public Cast {
        if (out != DType.F32 && out != DType.BF16) {
            throw new DTypeException("cast: expected F32 or BF16: found " + out);
        }
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        return List.of(new Rules(this, in).flow(0).at(0).as(out));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 0;
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

package dev.weft.op;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.TensorType;
import java.util.List;

/**
 * Quantisation and back, in place of the value: what a cache in the narrow format would return.
 *
 * <p>The first {@code lanes} lanes of each row go through {@link Quantize} with {@code 1 x block} scales and
 * {@link Dequantize} to x's dtype; the other lanes (rotary ones) are copied. x F32 or BF16 {@code [..., w]}, y like x.
 * Exact. Source: specification 3.3, 5.3, 5.6.
 *
 * @param dtype F8_E4M3 or F4_E2M1
 * @param block lanes per scale
 * @param lanes quantised lanes, a multiple of {@code block}
 */
public record FakeQuantize(DType dtype, int block, int lanes) implements Op {
    public FakeQuantize {
        if (dtype != DType.F8_E4M3 && dtype != DType.F4_E2M1) {
            throw new DTypeException("fakeQuantize: expected F8_E4M3 or F4_E2M1: found " + dtype);
        }
        Rules.attribute(
                block > 0 && lanes >= 0 && lanes % block == 0,
                "fakeQuantize",
                "lanes must be a multiple of block: found lanes " + lanes + ", block " + block);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0);
        r.require(0, r.extent(0, -1) >= lanes, "row is narrower than the " + lanes + " quantised lanes");
        return List.of(r.at(0));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 3.0 * in.getFirst().maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

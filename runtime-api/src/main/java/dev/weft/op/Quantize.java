package dev.weft.op;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.util.List;

/**
 * Block quantisation of activations along the last axis.
 *
 * <p>Per row and block: {@code amax = max(|x|, floor)} with floor 1e-4 (E4M3) or 6*2^-126 (E2M1);
 * {@code r = f32(amax * f32(1/M))} with M = 448 or 6; {@code scale = 2^ceil(log2 r)} from the IEEE bits;
 * {@code q = round(clamp(x / scale, -M, M))}, nearest even. The scale byte is the exponent plus 127. A block with a NaN
 * or infinity has scale byte 255 and NaN codes (for E2M1, which has no NaN: zero codes). x F32 or BF16
 * {@code [..., K]}, K a multiple of the block; y of {@code dtype} and {@code scaling}. Exact. Source: specification 3.1
 * to 3.3.
 *
 * @param dtype F8_E4M3 or F4_E2M1
 * @param scaling one scale per row and block: 1 x 32, 1 x 64 or 1 x 128
 */
public record Quantize(DType dtype, Scaling scaling) implements Op {
    public Quantize {
        if (dtype != DType.F8_E4M3 && dtype != DType.F4_E2M1) {
            throw new DTypeException("quantize: expected F8_E4M3 or F4_E2M1: found " + dtype);
        }
        Rules.attribute(scaling.rows() == 1, "quantize", "one scale per row and block expected: found " + scaling);
    }

    @Override
    public List<String> operands() {
        return List.of("x");
    }

    @Override
    public List<TensorType> infer(List<TensorType> in) {
        Rules r = new Rules(this, in).minRank(0, 1).flow(0).multiple(0, -1, scaling.columns(), "whole blocks");
        return List.of(new TensorType(dtype, r.at(0).shape(), scaling));
    }

    @Override
    public double flops(List<TensorType> in) {
        return 2.0 * in.getFirst().maxElements();
    }

    @Override
    public Tolerance tolerance(List<TensorType> in) {
        return Tolerance.EXACT;
    }
}

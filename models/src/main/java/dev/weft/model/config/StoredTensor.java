package dev.weft.model.config;

import dev.weft.DType;
import dev.weft.Shape;
import java.util.Arrays;

/**
 * A tensor that a checkpoint must have, as it is stored.
 *
 * @param name published name
 * @param dtype stored element format: packed FP4 is {@link DType#I8}
 * @param shape stored extents
 * @param role what the values mean
 */
public record StoredTensor(String name, DType dtype, long[] shape, Role role) {
    /** What the values of a tensor mean, and so what random ones should look like. */
    public enum Role {
        /** Gain of a normalisation. */
        NORM,
        /** Logit of an attention sink. */
        SINK,
        /** Gain of the stream mixing. */
        HYPER_SCALE,
        /** Offset of the stream mixing. */
        HYPER_BASE,
        /** Selection bias of a gate. */
        GATE_BIAS,
        /** Experts by token id. */
        EXPERT_TABLE,
        /** Matrix in BF16 or F32. */
        MATRIX,
        /** FP8 or packed FP4 matrix; the next tensor of the inventory holds its scales. */
        QUANTISED,
        /** Block scales of the tensor before. */
        SCALE
    }

    public StoredTensor {
        shape = shape.clone();
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** Size in bytes. */
    public long bytes() {
        return dtype.bytes(Shape.elements(shape));
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof StoredTensor t
                && name.equals(t.name)
                && dtype == t.dtype
                && Arrays.equals(shape, t.shape)
                && role == t.role;
    }

    @Override
    public int hashCode() {
        return name.hashCode();
    }

    @Override
    public String toString() {
        return name + " " + dtype + " " + Arrays.toString(shape);
    }
}

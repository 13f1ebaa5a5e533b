package dev.weft.io;

import dev.weft.DType;
import java.util.Arrays;

/**
 * One tensor of a safetensors file, as its header declares it.
 *
 * @param name name in the file
 * @param dtype element format; {@code F4} is {@link DType#F4_E2M1}
 * @param shape extents, slowest axis first; empty for a scalar
 * @param offset position of the first byte in the file
 * @param bytes size in bytes
 */
public record TensorEntry(String name, DType dtype, long[] shape, long offset, long bytes) {
    public TensorEntry {
        shape = shape.clone();
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** Whether the extents are exactly these. */
    public boolean hasShape(long... extents) {
        return Arrays.equals(shape, extents);
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof TensorEntry e
                && name.equals(e.name)
                && dtype == e.dtype
                && Arrays.equals(shape, e.shape)
                && offset == e.offset
                && bytes == e.bytes;
    }

    @Override
    public int hashCode() {
        return name.hashCode() * 31 + Long.hashCode(offset);
    }

    @Override
    public String toString() {
        return name + " " + dtype + " " + Arrays.toString(shape);
    }
}

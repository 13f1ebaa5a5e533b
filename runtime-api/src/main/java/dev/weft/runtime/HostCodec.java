package dev.weft.runtime;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Conversion between Java floats and the bytes of a tensor of fixed extents. */
final class HostCodec {
    private HostCodec() {}

    /** Decodes all elements, scales applied. */
    static void decode(TensorType t, MemorySegment data, MemorySegment scale, float[] out) {
        long columns = t.shape().rank() == 0 ? 1 : t.shape().last().maximum();
        long rows = t.shape().rank() < 2 ? 1 : t.shape().dim(-2).maximum();
        for (int i = 0; i < out.length; i++) {
            float v = t.dtype().decode(code(t.dtype(), data, i));
            if (!t.scaling().isNone()) {
                long row = i / columns;
                long matrix = row / rows;
                long scaleRows = Math.ceilDiv(rows, (long) t.scaling().rows());
                long scaleColumns = Math.ceilDiv(columns, (long) t.scaling().columns());
                long at = (matrix * scaleRows + row % rows / t.scaling().rows()) * scaleColumns
                        + i % columns / t.scaling().columns();
                v *= DType.F8_E8M0.decode(scale.get(ValueLayout.JAVA_BYTE, at));
            }
            out[i] = v;
        }
    }

    /** Encodes floats into an unscaled float tensor, rounding to nearest even. */
    static void encode(TensorType t, float[] values, MemorySegment data) {
        if (!t.scaling().isNone()) {
            throw new DTypeException("tensor " + t + ": floats can be stored in unscaled tensors only; use quantize");
        }
        for (int i = 0; i < values.length; i++) {
            setCode(t.dtype(), data, i, t.dtype().encode(values[i]));
        }
    }

    static int code(DType dtype, MemorySegment data, long i) {
        return switch (dtype.bits()) {
            case 32 -> data.get(ValueLayout.JAVA_INT_UNALIGNED, 4 * i);
            case 16 -> data.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i) & 0xFFFF;
            case 8 -> data.get(ValueLayout.JAVA_BYTE, i) & 0xFF;
            case 4 -> data.get(ValueLayout.JAVA_BYTE, i / 2) >> (i % 2 == 0 ? 0 : 4) & 0xF;
            default -> throw new DTypeException("tensor of " + dtype + ": expected a floating-point dtype");
        };
    }

    static void setCode(DType dtype, MemorySegment data, long i, int code) {
        switch (dtype.bits()) {
            case 32 -> data.set(ValueLayout.JAVA_INT_UNALIGNED, 4 * i, code);
            case 16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * i, (short) code);
            case 8 -> data.set(ValueLayout.JAVA_BYTE, i, (byte) code);
            case 4 -> {
                int old = data.get(ValueLayout.JAVA_BYTE, i / 2);
                int merged = i % 2 == 0 ? (old & 0xF0) | (code & 0xF) : (old & 0xF) | code << 4;
                data.set(ValueLayout.JAVA_BYTE, i / 2, (byte) merged);
            }
            default -> throw new DTypeException("tensor of " + dtype + ": expected a floating-point dtype");
        }
    }
}

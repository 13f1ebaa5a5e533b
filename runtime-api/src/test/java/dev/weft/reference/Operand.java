package dev.weft.reference;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A tensor in host memory with tight pitch; scale bytes apart. */
record Operand(TensorType type, MemorySegment data, MemorySegment scales) {

    /** Zeroed memory of a type. */
    static Operand zeros(TensorType type) {
        Arena arena = Arena.ofAuto();
        return new Operand(type, arena.allocate(type.maxDataBytes(), 64), arena.allocate(type.maxScaleBytes(), 64));
    }

    static Operand f32(float[] values, long... shape) {
        Operand o = zeros(TensorType.of(DType.F32, shape));
        MemorySegment.copy(values, 0, o.data, ValueLayout.JAVA_FLOAT, 0, Math.toIntExact(Shape.elements(shape)));
        return o;
    }

    static Operand i32(int[] values, long... shape) {
        Operand o = zeros(TensorType.of(DType.I32, shape));
        MemorySegment.copy(values, 0, o.data, ValueLayout.JAVA_INT, 0, Math.toIntExact(Shape.elements(shape)));
        return o;
    }

    /** Consecutive integers as a vector. */
    static Operand range(int from, int to) {
        int[] values = new int[to - from];
        for (int i = 0; i < values.length; i++) {
            values[i] = from + i;
        }
        return i32(values, values.length);
    }

    /** Packed codes and their scale bytes. */
    static Operand codes(DType dtype, Scaling scaling, byte[] codes, byte[] scaleBytes, long... shape) {
        Operand o = zeros(new TensorType(dtype, Shape.of(shape), scaling));
        if (codes.length != o.data.byteSize() || scaleBytes.length != o.scales.byteSize()) {
            throw new AssertionError(
                    o.type + ": found " + codes.length + " bytes and " + scaleBytes.length + " scales");
        }
        o.data.copyFrom(MemorySegment.ofArray(codes));
        o.scales.copyFrom(MemorySegment.ofArray(scaleBytes));
        return o;
    }

    /** An F32 tensor of the golden data. */
    static Operand of(GoldenTensors golden, String name) {
        return f32(golden.floats(name), golden.shape(name));
    }

    /** The same elements under another shape. */
    Operand shaped(long... shape) {
        TensorType reshaped = type.shaped(Shape.of(shape));
        if (reshaped.maxElements() != type.maxElements()) {
            throw new AssertionError(type + " cannot become " + reshaped);
        }
        return new Operand(reshaped, data, scales);
    }

    /** Rows {@code from .. to-1} of an unscaled tensor, sharing memory. */
    Operand rows(long from, long to) {
        long[] shape = type.shape().maximum();
        long rowBytes = type.maxDataBytes() / shape[0];
        shape[0] = to - from;
        TensorType part = type.shaped(Shape.of(shape));
        return new Operand(part, data.asSlice(from * rowBytes, part.maxDataBytes()), scales);
    }

    float[] floats() {
        return data.toArray(ValueLayout.JAVA_FLOAT);
    }

    int[] ints() {
        return data.toArray(ValueLayout.JAVA_INT);
    }

    byte[] bytes() {
        return data.toArray(ValueLayout.JAVA_BYTE);
    }

    byte[] scaleBytes() {
        return scales.toArray(ValueLayout.JAVA_BYTE);
    }
}

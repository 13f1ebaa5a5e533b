package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Host memory by address, and rows of narrow formats widened to floats. */
final class Memory {
    /** All of memory: kernels get addresses, whose owners outlive the call. */
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, Lanes.SPECIES.vectorShape());
    /** As many shorts as a vector has floats. */
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Lanes.SPECIES.vectorBitSize() / 2));

    private static final float[] E4M3 = table(DType.F8_E4M3, 256);
    private static final float[] E2M1 = table(DType.F4_E2M1, 16);
    private static final float[] E8M0 = table(DType.F8_E8M0, 256);

    private Memory() {}

    private static float[] table(DType dtype, int codes) {
        float[] values = new float[codes];
        for (int code = 0; code < codes; code++) {
            values[code] = dtype.decode(code);
        }
        return values;
    }

    static float f32(long address) {
        return ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address);
    }

    static int i32(long address) {
        return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    }

    static void i32(long address, int value) {
        ALL.set(ValueLayout.JAVA_INT_UNALIGNED, address, value);
    }

    /** The power of two of a scale byte. */
    static float scale(long address) {
        return E8M0[ALL.get(ValueLayout.JAVA_BYTE, address) & 0xFF];
    }

    /** Element {@code i} of an I32 operand of rank 1. */
    static int index(Operands a, int operand, long i) {
        return i32(a.address(operand) + 4 * i * a.pitch(operand));
    }

    /** Address of element {@code element} of a row-major block at {@code base}; FP4 rows begin at whole bytes. */
    static long at(DType dtype, long base, long element) {
        return base + (element * dtype.bits() >> 3);
    }

    /** Codes of {@code count} elements as floats: element i goes to {@code to[offset + i * step]}. */
    static void decode(DType dtype, long from, int count, float[] to, int offset, int step) {
        switch (dtype) {
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    to[offset + i * step] = f32(from + 4L * i);
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    int code = ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, from + 2L * i);
                    to[offset + i * step] = Float.intBitsToFloat(code << 16);
                }
            }
            case F8_E4M3 -> {
                for (int i = 0; i < count; i++) {
                    to[offset + i * step] = E4M3[ALL.get(ValueLayout.JAVA_BYTE, from + i) & 0xFF];
                }
            }
            case F4_E2M1 -> {
                for (int i = 0; i < count; i++) {
                    int pair = ALL.get(ValueLayout.JAVA_BYTE, from + (i >> 1));
                    to[offset + i * step] = E2M1[(i & 1) == 0 ? pair & 15 : pair >> 4 & 15];
                }
            }
            default -> throw new IllegalArgumentException("no vector decoder for " + dtype);
        }
    }

    /** As {@link #decode} with step 1, a vector at a time where the format is wide. */
    static void decode(DType dtype, long from, int count, float[] to, int at) {
        int whole = dtype == DType.BF16 || dtype == DType.F32 ? count / Lanes.COUNT * Lanes.COUNT : 0;
        if (dtype == DType.BF16) {
            for (int i = 0; i < whole; i += Lanes.COUNT) {
                ShortVector codes = ShortVector.fromMemorySegment(SHORTS, ALL, from + 2L * i, ByteOrder.nativeOrder());
                IntVector bits = (IntVector) codes.convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
                bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, at + i);
            }
        } else {
            for (int i = 0; i < whole; i += Lanes.COUNT) {
                FloatVector.fromMemorySegment(Lanes.SPECIES, ALL, from + 4L * i, ByteOrder.nativeOrder())
                        .intoArray(to, at + i);
            }
        }
        decode(dtype, at(dtype, from, whole), count - whole, to, at + whole, 1);
    }

    /** Rounds {@code value} to {@code dtype}, F32 or BF16, and stores it. */
    static void store(DType dtype, long address, float value) {
        if (dtype == DType.F32) {
            ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address, value);
        } else {
            ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, address, (short) DType.BF16.encode(value));
        }
    }

    /** As {@link #store(DType, long, float)} for {@code count} elements from {@code from[at]} on. */
    static void store(DType dtype, long to, float[] from, int at, int count) {
        int whole = count / Lanes.COUNT * Lanes.COUNT;
        if (dtype == DType.F32) {
            MemorySegment.copy(from, at, ALL, ValueLayout.JAVA_FLOAT_UNALIGNED, to, count);
            return;
        }
        for (int i = 0; i < whole; i += Lanes.COUNT) {
            bf16(FloatVector.fromArray(Lanes.SPECIES, from, at + i))
                    .convertShape(VectorOperators.I2S, SHORTS, 0)
                    .reinterpretAsShorts()
                    .intoMemorySegment(ALL, to + 2L * i, ByteOrder.nativeOrder());
        }
        for (int i = whole; i < count; i++) {
            store(dtype, to + 2L * i, from[at + i]);
        }
    }

    /** BF16 codes in the lower halves of the lanes, the bits of {@link DType#encode}. */
    private static IntVector bf16(FloatVector values) {
        IntVector bits = values.reinterpretAsInts();
        IntVector upper = bits.lanewise(VectorOperators.LSHR, 16);
        IntVector rounded = bits.add(0x7FFF).add(upper.and(1)).lanewise(VectorOperators.LSHR, 16);
        return rounded.blend(upper.or(0x40), values.test(VectorOperators.IS_NAN).cast(INTS));
    }
}

package dev.weft.backend.cpu.vector;

import dev.weft.DType;
import dev.weft.Scaling;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Widens rows of weights to floats, a step of {@link #STEP} elements at a time, in an order that needs no moves between
 * lanes: a vector of 32-bit words holds {@link #perWord} neighbours in each lane, and becomes as many vectors of floats,
 * vector {@code q} holding neighbour {@code q} of every lane. Activations are brought into the same order once.
 *
 * <p>Values are codes times their scales: powers of two, so the products are exact as long as floats hold them.
 */
final class WeightDecoder {
    /** Vectors of a step. Eight: the FP4 codes of one vector of words, within which a lane stays in one scale block. */
    static final int VECTORS = 8;

    static final int STEP = VECTORS * Lanes.COUNT;

    static final VectorSpecies<Integer> WORDS = VectorSpecies.of(int.class, Lanes.SPECIES.vectorShape());

    static final int WORD_BYTES = 4 * Lanes.COUNT;

    /** The FP4 values by code, if a vector holds them all. */
    private static final IntVector E2M1 = table();

    /** Where, in the scale bytes of a step, that of a lane's FP4 words begins. */
    static final IntVector SCALE_SHIFTS = IntVector.zero(WORDS)
            .addIndex(1)
            .mul(perWord(DType.F4_E2M1))
            .div(Scaling.MXFP4.columns())
            .mul(Byte.SIZE);

    /** FP4 scales of a step: at most four, which fit an int. */
    static final int SCALES = STEP / Scaling.MXFP4.columns();

    private WeightDecoder() {}

    private static IntVector table() {
        int[] bits = new int[Math.max(16, Lanes.COUNT)];
        for (int code = 0; code < bits.length; code++) {
            bits[code] = Float.floatToRawIntBits(DType.F4_E2M1.decode(code & 15));
        }
        return IntVector.fromArray(WORDS, bits, 0);
    }

    /** Elements of a 32-bit word. */
    static int perWord(DType dtype) {
        return Integer.SIZE / dtype.bits();
    }

    /** Brings {@code steps} steps of floats into the order of decoded weights. */
    static void reorder(DType weights, float[] from, float[] to, int at, int steps) {
        int perWord = perWord(weights);
        int unit = perWord * Lanes.COUNT;
        for (int u = 0; u < steps * STEP; u += unit) {
            for (int lane = 0; lane < Lanes.COUNT; lane++) {
                for (int q = 0; q < perWord; q++) {
                    to[at + u + q * Lanes.COUNT + lane] = from[u + lane * perWord + q];
                }
            }
        }
    }

    /**
     * Decodes {@code steps} steps of codes at address {@code from}.
     *
     * @param scales per step {@link #SCALES} scale bytes, the first one lowest, or one repeated; not read for formats
     *     without scales
     */
    static void decode(DType dtype, long from, int steps, int[] scales, float[] to, int at) {
        switch (dtype) {
            case F32 -> f32(from, steps, to, at);
            case BF16 -> bf16(from, steps, to, at);
            case F8_E4M3 -> e4m3(from, steps, scales, to, at);
            case F4_E2M1 -> {
                if (Lanes.COUNT == 16) {
                    e2m1(from, steps, scales, to, at);
                } else {
                    e2m1Narrow(from, steps, scales, to, at);
                }
            }
            default -> throw new IllegalArgumentException("no vector decoder for " + dtype);
        }
    }

    static IntVector words(long address) {
        return IntVector.fromMemorySegment(WORDS, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN);
    }

    private static void f32(long from, int steps, float[] to, int at) {
        for (int i = 0; i < steps * VECTORS; i++) {
            words(from + (long) i * WORD_BYTES).reinterpretAsFloats().intoArray(to, at + i * Lanes.COUNT);
        }
    }

    private static void bf16(long from, int steps, float[] to, int at) {
        for (int i = 0; i < steps * VECTORS / 2; i++) {
            IntVector pairs = words(from + (long) i * WORD_BYTES);
            int next = at + 2 * i * Lanes.COUNT;
            pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, next);
            pairs.and(0xFFFF0000).reinterpretAsFloats().intoArray(to, next + Lanes.COUNT);
        }
    }

    private static void e4m3(long from, int steps, int[] scales, float[] to, int at) {
        for (int i = 0; i < steps * VECTORS / 4; i++) {
            IntVector codes = words(from + (long) i * WORD_BYTES);
            FloatVector scale = factors(scales[i / 2]);
            int next = at + 4 * i * Lanes.COUNT;
            e4m3(codes.lanewise(VectorOperators.LSHL, 24)).mul(scale).intoArray(to, next);
            e4m3(codes.lanewise(VectorOperators.LSHL, 16)).mul(scale).intoArray(to, next + Lanes.COUNT);
            e4m3(codes.lanewise(VectorOperators.LSHL, 8)).mul(scale).intoArray(to, next + 2 * Lanes.COUNT);
            e4m3(codes).mul(scale).intoArray(to, next + 3 * Lanes.COUNT);
            // bytes 0x7F and 0xFF carry into their top bit
            if (codes.and(0x7F7F7F7F)
                    .add(0x01010101)
                    .and(0x80808080)
                    .compare(VectorOperators.NE, 0)
                    .anyTrue()) {
                patchNan(from + (long) i * WORD_BYTES, to, next);
            }
        }
    }

    /**
     * Finite values of the codes in the top bytes: sign, exponent and fraction at their places in a float, and a power of
     * two for the difference of the biases, which is exact, subnormals included.
     */
    static FloatVector e4m3(IntVector codes) {
        return codes.lanewise(VectorOperators.ASHR, 4)
                .and(0x87F00000)
                .reinterpretAsFloats()
                .mul(0x1p120f);
    }

    /** Replaces the values of the NaN codes of a vector of words, which come out as numbers. */
    private static void patchNan(long from, float[] values, int at) {
        for (int i = 0; i < WORD_BYTES; i++) {
            if ((Memory.ALL.get(ValueLayout.JAVA_BYTE, from + i) & 0x7F) == 0x7F) {
                values[at + i % 4 * Lanes.COUNT + i / 4] = Float.NaN;
            }
        }
    }

    /** Powers of two for the lanes; byte 0 is 2^-127, which is subnormal, and byte 255 NaN. */
    private static FloatVector factors(int scales) {
        IntVector bytes = IntVector.broadcast(WORDS, scales)
                .lanewise(VectorOperators.LSHR, SCALE_SHIFTS)
                .and(0xFF);
        IntVector quiet = bytes.add(1).lanewise(VectorOperators.LSHR, 8).lanewise(VectorOperators.LSHL, 22);
        return bytes.lanewise(VectorOperators.LSHL, 23)
                .max(0x0040_0000)
                .add(quiet)
                .reinterpretAsFloats();
    }

    private static void e2m1(long from, int steps, int[] scales, float[] to, int at) {
        for (int s = 0; s < steps; s++) {
            IntVector codes = words(from + (long) s * WORD_BYTES);
            FloatVector scale = factors(scales[s]);
            int next = at + s * STEP;
            for (int q = 0; q < VECTORS; q++) {
                e2m1(codes).mul(scale).intoArray(to, next + q * Lanes.COUNT);
                codes = codes.lanewise(VectorOperators.LSHR, 4);
            }
        }
    }

    /** Values of the codes in the lowest bits; the others do not count, as an index wraps. */
    static FloatVector e2m1(IntVector codes) {
        return codes.selectFrom(E2M1).reinterpretAsFloats();
    }

    /** As {@link #e4m3(IntVector)}: the codes move to the top of the words. */
    private static void e2m1Narrow(long from, int steps, int[] scales, float[] to, int at) {
        for (int s = 0; s < steps; s++) {
            IntVector codes = words(from + (long) s * WORD_BYTES);
            FloatVector scale = factors(scales[s]);
            int next = at + s * STEP;
            for (int q = 0; q < VECTORS; q++) {
                codes.lanewise(VectorOperators.LSHL, 28)
                        .lanewise(VectorOperators.ASHR, 6)
                        .and(0x81C00000)
                        .reinterpretAsFloats()
                        .mul(0x1p126f)
                        .mul(scale)
                        .intoArray(to, next + q * Lanes.COUNT);
                codes = codes.lanewise(VectorOperators.LSHR, 4);
            }
        }
    }
}

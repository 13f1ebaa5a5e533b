package dev.weft.benchmarks.work;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * One weight on the host in checkpoint order: {@code [rows, columns]}, or that many experts on top of each other. All
 * contenders are fed from it, so they multiply the same numbers.
 *
 * @param format element format
 * @param rows output features, of all experts together
 * @param columns input features
 * @param data codes in row-major order
 * @param scale scale bytes, of size 0 if unscaled
 */
public record Matrix(Format format, int rows, int columns, MemorySegment data, MemorySegment scale) {
    /** Exponents of the block scales: some variety, sums far from overflow. */
    private static final int SCALE_BASE = 117;

    private static final int SCALE_SPREAD = 4;

    /** Pairs of E2M1 codes below 4: such weights are the same numbers as blocks of 4-bit whole numbers. */
    private static final byte[] SMALL_E2M1 = smallPairs();

    /**
     * E4M3 codes of whole numbers up to 120: such weights are the same numbers as Q8_0 blocks, so that a peer without FP8
     * multiplies exactly what the FP8 kernel does.
     */
    private static final byte[] WHOLE_E4M3 = wholeCodes();

    /** Random weights, the same for the same seed. */
    public static Matrix random(Arena arena, Format format, int rows, int columns, long seed) {
        TensorType type = format.weight(rows, columns);
        SplittableRandom random = new SplittableRandom(seed);
        MemorySegment data = arena.allocate(type.maxDataBytes(), 64);
        MemorySegment scale =
                arena.allocate(Math.max(1, type.maxScaleBytes()), 64).asSlice(0, type.maxScaleBytes());
        for (long i = 0; i < data.byteSize(); i += Long.BYTES) {
            data.set(ValueLayout.JAVA_LONG_UNALIGNED, i, codes(format, random.nextLong()));
        }
        for (long i = 0; i < scale.byteSize(); i++) {
            scale.set(ValueLayout.JAVA_BYTE, i, (byte) (SCALE_BASE + random.nextInt(SCALE_SPREAD)));
        }
        return new Matrix(format, rows, columns, data, scale);
    }

    /** Eight bytes of codes from eight random bytes. Plain floats get a magnitude between 1/256 and 1. */
    private static long codes(Format format, long bits) {
        return switch (format) {
            case MXFP4 -> mapped(SMALL_E2M1, bits);
            case FP8 -> mapped(WHOLE_E4M3, bits);
            case BF16 -> (bits & 0x83FF_83FF_83FF_83FFL) + 0x3B80_3B80_3B80_3B80L;
            case F32 -> (bits & 0x83FF_FFFF_83FF_FFFFL) + 0x3B80_0000_3B80_0000L;
        };
    }

    private static long mapped(byte[] table, long bits) {
        long out = 0;
        for (int i = 0; i < 64; i += 8) {
            out |= (table[(int) (bits >>> i) & 0xFF] & 0xFFL) << i;
        }
        return out;
    }

    private static byte[] smallPairs() {
        int[] small = IntStream.range(0, 16)
                .filter(c -> Math.abs(DType.F4_E2M1.decode(c)) < 4)
                .toArray();
        byte[] table = new byte[256];
        for (int i = 0; i < table.length; i++) {
            table[i] = (byte) (small[i % small.length] | small[i / small.length % small.length] << 4);
        }
        return table;
    }

    private static byte[] wholeCodes() {
        int[] whole = IntStream.range(0, 256)
                .filter(c -> Math.abs(DType.F8_E4M3.decode(c)) <= 120)
                .filter(c -> DType.F8_E4M3.decode(c) == Math.rint(DType.F8_E4M3.decode(c)))
                .toArray();
        byte[] table = new byte[256];
        for (int i = 0; i < table.length; i++) {
            table[i] = (byte) whole[i % whole.length];
        }
        return table;
    }

    /** Bits of an element. */
    public int code(long row, int column) {
        long i = row * columns + column;
        return switch (format) {
            case MXFP4 -> data.get(ValueLayout.JAVA_BYTE, i / 2) >> (i % 2 * 4) & 0xF;
            case FP8 -> data.get(ValueLayout.JAVA_BYTE, i) & 0xFF;
            case BF16 -> data.getAtIndex(ValueLayout.JAVA_SHORT, i) & 0xFFFF;
            case F32 -> data.getAtIndex(ValueLayout.JAVA_INT, i);
        };
    }

    /** Scale byte of the block of an element; 127, which is 1, if unscaled. */
    public int scaleByte(long row, int column) {
        return switch (format) {
            case MXFP4 -> scale.get(ValueLayout.JAVA_BYTE, row * (columns / 32) + column / 32) & 0xFF;
            case FP8 -> scale.get(ValueLayout.JAVA_BYTE, row / 128 * Math.ceilDiv(columns, 128) + column / 128) & 0xFF;
            case BF16, F32 -> 127;
        };
    }

    /** The number that an element stands for. */
    public double value(long row, int column) {
        return (double) format.dtype().decode(code(row, column)) * DType.F8_E8M0.decode(scaleByte(row, column));
    }

    /** Bytes of codes and scales. */
    public long bytes() {
        return data.byteSize() + scale.byteSize();
    }

    /** This matrix as the weight a graph asks for. */
    public WeightData as(String name, TensorType type) {
        return WeightData.of(name, type, data, scale);
    }
}

package dev.weft.benchmarks.peer;

import dev.weft.DType;
import dev.weft.benchmarks.work.Matrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.LongStream;

/** Weights in ggml's block formats, standing for the same numbers. */
final class GgmlBlocks {
    private static final int BLOCK = 32;

    private GgmlBlocks() {}

    /** ggml's type for a weight. */
    static int type(Matrix w) {
        return switch (w.format()) {
            case MXFP4 -> GgmlLibrary.MXFP4;
            case FP8 -> GgmlLibrary.Q8_0;
            case BF16 -> GgmlLibrary.BF16;
            case F32 -> GgmlLibrary.F32;
        };
    }

    private static int blockBytes(Matrix w) {
        return switch (w.format()) {
            case MXFP4 -> 1 + BLOCK / 2;
            case FP8 -> Short.BYTES + BLOCK;
            case BF16 -> BLOCK * Short.BYTES;
            case F32 -> BLOCK * Float.BYTES;
        };
    }

    /** Bytes of a weight in its block format. */
    static long bytes(Matrix w) {
        return (long) w.rows() * (w.columns() / BLOCK) * blockBytes(w);
    }

    /** Writes all blocks, row by row. */
    static void write(Matrix w, MemorySegment out) {
        if (w.scale().byteSize() == 0) {
            out.copyFrom(w.data());
            return;
        }
        int perRow = w.columns() / BLOCK;
        LongStream.range(0, w.rows()).parallel().forEach(row -> {
            for (int b = 0; b < perRow; b++) {
                long at = (row * perRow + b) * blockBytes(w);
                switch (w.format()) {
                    case MXFP4 -> mxfp4(w, row, b * BLOCK, out, at);
                    case FP8 -> q8(w, row, b * BLOCK, out, at);
                    case BF16, F32 -> throw new IllegalStateException("unscaled: " + w.format());
                }
            }
        });
    }

    /** Scale exponent, then 16 bytes: byte j holds element j low and element j + 16 high. */
    private static void mxfp4(Matrix w, long row, int column, MemorySegment out, long at) {
        out.set(ValueLayout.JAVA_BYTE, at, (byte) w.scaleByte(row, column));
        for (int j = 0; j < BLOCK / 2; j++) {
            int low = w.code(row, column + j);
            int high = w.code(row, column + j + BLOCK / 2);
            out.set(ValueLayout.JAVA_BYTE, at + 1 + j, (byte) (low | high << 4));
        }
    }

    /** F16 scale, then 32 whole numbers. */
    private static void q8(Matrix w, long row, int column, MemorySegment out, long at) {
        float scale = DType.F8_E8M0.decode(w.scaleByte(row, column));
        out.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(scale));
        for (int j = 0; j < BLOCK; j++) {
            byte whole = (byte) DType.F8_E4M3.decode(w.code(row, column + j));
            out.set(ValueLayout.JAVA_BYTE, at + Short.BYTES + j, whole);
        }
    }
}

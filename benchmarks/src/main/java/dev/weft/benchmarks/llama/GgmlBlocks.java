package dev.weft.benchmarks.llama;

import dev.weft.DType;

/** Rows of a checkpoint as blocks of ggml. */
final class GgmlBlocks {
    private static final int BLOCK = GgmlType.MXFP4.blockElements();
    private static final int HALF = BLOCK / 2;

    private GgmlBlocks() {}

    /**
     * One row of packed FP4 with one scale per 32 columns. The element codes are the same; only their place in the block
     * differs: here neighbouring columns share a byte, there columns 16 apart do.
     *
     * @param codes two elements per byte, the even column in the low nibble
     * @param scales one E8M0 byte per 32 columns
     */
    static byte[] mxfp4(byte[] codes, byte[] scales) {
        byte[] out = new byte[scales.length * GgmlType.MXFP4.blockBytes()];
        for (int b = 0; b < scales.length; b++) {
            int to = b * GgmlType.MXFP4.blockBytes();
            out[to] = scales[b];
            for (int j = 0; j < HALF; j++) {
                int low = nibble(codes, b * BLOCK + j);
                int high = nibble(codes, b * BLOCK + HALF + j);
                out[to + 1 + j] = (byte) (low | high << 4);
            }
        }
        return out;
    }

    private static int nibble(byte[] codes, int column) {
        return codes[column / 2] >>> 4 * (column % 2) & 0xF;
    }

    /** One row quantised to signed bytes, each block of 32 by its absolute maximum. */
    static byte[] q8(float[] row) {
        int blocks = row.length / BLOCK;
        byte[] out = new byte[blocks * GgmlType.Q8_0.blockBytes()];
        for (int b = 0; b < blocks; b++) {
            float largest = 0;
            for (int j = 0; j < BLOCK; j++) {
                largest = Math.max(largest, Math.abs(row[b * BLOCK + j]));
            }
            float scale = largest / 127;
            float inverse = scale == 0 ? 0 : 1 / scale;
            int to = b * GgmlType.Q8_0.blockBytes();
            int code = DType.F16.encode(scale);
            out[to] = (byte) code;
            out[to + 1] = (byte) (code >>> 8);
            for (int j = 0; j < BLOCK; j++) {
                out[to + 2 + j] = (byte) Math.round(row[b * BLOCK + j] * inverse);
            }
        }
        return out;
    }

    /** One row as BF16. */
    static byte[] bf16(float[] row) {
        byte[] out = new byte[row.length * Short.BYTES];
        for (int i = 0; i < row.length; i++) {
            int code = DType.BF16.encode(row[i]);
            out[2 * i] = (byte) code;
            out[2 * i + 1] = (byte) (code >>> 8);
        }
        return out;
    }
}

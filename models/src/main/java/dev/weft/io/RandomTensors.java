package dev.weft.io;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.model.config.StoredTensor;
import java.util.Arrays;

/**
 * Random contents for the tensors of an inventory, the same for the same seed and name (recipe of specification 11.1).
 * Values come in strips of rows, so that no tensor is ever held whole.
 */
final class RandomTensors {
    /** Rows of one strip: the height of an FP8 block. */
    static final int STRIP_ROWS = 128;

    /** Smallest block maxima of the quantisers (specification 3.2). */
    private static final float FP8_FLOOR = 1e-4f;

    private static final float FP4_FLOOR = 6 * 0x1p-126f;

    private final long seed;
    private final int experts;

    RandomTensors(long seed, int experts) {
        this.seed = seed;
        this.experts = experts;
    }

    /** Receives the bytes of a tensor in order. */
    interface Sink {
        void accept(byte[] bytes);
    }

    /** Contents of an unquantised tensor. */
    void plain(StoredTensor t, Sink sink) {
        long[] shape = t.shape();
        int columns = (int) shape[shape.length - 1];
        long rows = shape.length == 1 ? 1 : shape[0];
        Noise noise = new Noise(seed, t.name());
        if (t.role() == StoredTensor.Role.EXPERT_TABLE) {
            expertTable(rows, columns, noise, sink);
            return;
        }
        float[] strip = new float[columns * STRIP_ROWS];
        for (long row = 0; row < rows; row += STRIP_ROWS) {
            int n = (int) Math.min(STRIP_ROWS, rows - row) * columns;
            fill(t, columns, noise, strip, n);
            sink.accept(encode(t.dtype(), strip, n));
        }
    }

    private static void fill(StoredTensor t, int columns, Noise noise, float[] out, int n) {
        float deviation = switch (t.role()) {
            case NORM, GATE_BIAS -> 0.1f;
            case SINK, HYPER_BASE -> 1;
            default -> (float) (1 / Math.sqrt(columns));
        };
        for (int i = 0; i < n; i++) {
            out[i] = switch (t.role()) {
                case HYPER_SCALE -> 0.1f;
                case NORM -> 1 + deviation * noise.next();
                default -> deviation * noise.next();
            };
        }
    }

    private static byte[] encode(DType dtype, float[] values, int n) {
        int width = dtype.bits() / 8;
        byte[] out = new byte[n * width];
        for (int i = 0; i < n; i++) {
            int code = dtype.encode(values[i]);
            for (int b = 0; b < width; b++) {
                out[i * width + b] = (byte) (code >>> (8 * b));
            }
        }
        return out;
    }

    /** Rows walk through one permutation of the experts, so the entries of a row are distinct. */
    private void expertTable(long rows, int columns, Noise noise, Sink sink) {
        int[] permutation = new int[experts];
        for (int i = 0; i < experts; i++) {
            int j = (int) Long.remainderUnsigned(noise.bits(), i + 1);
            permutation[i] = permutation[j];
            permutation[j] = i;
        }
        byte[] row = new byte[columns * Long.BYTES];
        for (long r = 0; r < rows; r++) {
            Arrays.fill(row, (byte) 0);
            for (int j = 0; j < columns; j++) {
                int expert = permutation[(int) ((r * columns + j) % experts)];
                row[j * Long.BYTES] = (byte) expert;
                row[j * Long.BYTES + 1] = (byte) (expert >>> 8);
            }
            sink.accept(row);
        }
    }

    /**
     * Codes of a quantised matrix, then its block scales (specification 3.2).
     *
     * @param weight the matrix, FP8 or packed FP4
     * @param codes receives the elements
     * @return scale bytes, row-major
     */
    byte[] quantised(StoredTensor weight, Sink codes) {
        boolean fp4 = weight.dtype() == DType.I8;
        DType dtype = fp4 ? DType.F4_E2M1 : DType.F8_E4M3;
        Scaling scaling = fp4 ? Scaling.MXFP4 : Scaling.FP8_BLOCK_128;
        long rows = weight.shape()[0];
        int columns = Math.toIntExact(weight.shape()[1] * (fp4 ? 2 : 1));
        long[] scaleDims = scaling.scaleDims(new long[] {rows, columns});
        byte[] scales = new byte[Math.toIntExact(scaleDims[0] * scaleDims[1])];
        Noise noise = new Noise(seed, weight.name());
        float deviation = (float) (1 / Math.sqrt(columns));
        float[] strip = new float[columns * STRIP_ROWS];
        int at = 0;
        for (long row = 0; row < rows; row += STRIP_ROWS) {
            int height = (int) Math.min(STRIP_ROWS, rows - row);
            for (int i = 0; i < height * columns; i++) {
                strip[i] = deviation * noise.next();
            }
            for (int top = 0; top < height; top += scaling.rows()) {
                int bottom = Math.min(height, top + scaling.rows());
                for (int left = 0; left < columns; left += scaling.columns()) {
                    int right = Math.min(columns, left + scaling.columns());
                    scales[at++] = scaleBlock(dtype, strip, columns, top, bottom, left, right);
                }
            }
            codes.accept(fp4 ? packed(strip, height * columns) : encode(dtype, strip, height * columns));
        }
        return scales;
    }

    /** Divides a block by its scale and returns the scale byte. */
    private static byte scaleBlock(DType dtype, float[] strip, int columns, int top, int bottom, int left, int right) {
        boolean fp4 = dtype == DType.F4_E2M1;
        float largest = fp4 ? FP4_FLOOR : FP8_FLOOR;
        for (int i = top; i < bottom; i++) {
            for (int j = left; j < right; j++) {
                largest = Math.max(largest, Math.abs(strip[i * columns + j]));
            }
        }
        // multiplied by the rounded reciprocal, as the model's quantiser does
        int scale = DType.F8_E8M0.encode(largest * (fp4 ? 1 / 6f : 1 / 448f));
        float inverse = 1 / DType.F8_E8M0.decode(scale);
        for (int i = top; i < bottom; i++) {
            for (int j = left; j < right; j++) {
                strip[i * columns + j] *= inverse;
            }
        }
        return (byte) scale;
    }

    private static byte[] packed(float[] values, int n) {
        byte[] out = new byte[n / 2];
        for (int i = 0; i < out.length; i++) {
            int low = DType.F4_E2M1.encode(values[2 * i]);
            out[i] = (byte) (low | DType.F4_E2M1.encode(values[2 * i + 1]) << 4);
        }
        return out;
    }

    /**
     * Fast, nearly normal noise of deviation 1: the sum of four uniform 16-bit numbers of one generator step. Its tails
     * end at 3.5 deviations, which random weights do not miss.
     */
    private static final class Noise {
        private static final float MEAN = 2 * 65535f;
        private static final float DEVIATION = 37837.2f; // sqrt(4 * 65536^2 / 12)

        private long state;

        Noise(long seed, String name) {
            long h = seed;
            for (int i = 0; i < name.length(); i++) {
                h = mix(h + name.charAt(i) + 0x9E37_79B9_7F4A_7C15L);
            }
            state = h;
        }

        /** SplitMix64. */
        long bits() {
            state += 0x9E37_79B9_7F4A_7C15L;
            return mix(state);
        }

        private static long mix(long z) {
            long a = (z ^ z >>> 30) * 0xBF58_476D_1CE4_E5B9L;
            long b = (a ^ a >>> 27) * 0x94D0_49BB_1331_11EBL;
            return b ^ b >>> 31;
        }

        float next() {
            long b = bits();
            long sum = (b & 0xFFFF) + (b >>> 16 & 0xFFFF) + (b >>> 32 & 0xFFFF) + (b >>> 48);
            return (sum - MEAN) / DEVIATION;
        }
    }
}

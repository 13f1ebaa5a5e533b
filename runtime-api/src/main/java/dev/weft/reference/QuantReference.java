package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.FakeQuantize;

/** Block quantisation with power-of-two scales. */
final class QuantReference {
    /** Scale byte of a block with a value that is not finite. */
    private static final int NAN_SCALE = 255;

    private QuantReference() {}

    static void quantize(HostOperand x, HostOperand y) {
        int block = y.scaling().columns();
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            int[] codes = new int[row.length];
            int[] scales = new int[row.length / block];
            for (int b = 0; b < scales.length; b++) {
                int from = b * block;
                scales[b] = scale(row, from, from + block, y.dtype());
                for (int c = from; c < from + block; c++) {
                    codes[c] = code(row[c], scales[b], y.dtype());
                }
            }
            y.setCodes(i, codes, scales);
        }
    }

    /** {@code y = code * scale}, rounded to y's dtype. */
    static void dequantize(HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            y.setRow(i, x.row(i));
        }
    }

    static void fakeQuantize(FakeQuantize op, HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            fakeQuantize(row, op.lanes(), op.block(), op.dtype());
            y.setRow(i, row);
        }
    }

    /** Quantises the first {@code lanes} values in place and decodes them again. */
    static void fakeQuantize(float[] x, int lanes, int block, DType dtype) {
        for (int from = 0; from < lanes; from += block) {
            int scale = scale(x, from, from + block, dtype);
            for (int c = from; c < from + block; c++) {
                x[c] = dtype.decode(code(x[c], scale, dtype)) * DType.F8_E8M0.decode(scale);
            }
        }
    }

    /**
     * Scale byte of {@code x[from .. to)}: with {@code amax = max(|x|, floor)}, the smallest power of two that is not
     * below {@code f32(amax * f32(1/M))}.
     */
    static int scale(float[] x, int from, int to, DType dtype) {
        float amax = dtype == DType.F8_E4M3 ? 1e-4f : 6 * 0x1p-126f;
        for (int c = from; c < to; c++) {
            amax = Math.max(amax, Math.abs(x[c]));
        }
        if (!Float.isFinite(amax)) {
            return NAN_SCALE;
        }
        return DType.F8_E8M0.encode(amax * (1 / largest(dtype)));
    }

    /** {@code round(clamp(x / scale, -M, M))}; NaN (zero in E2M1, which has none) under the NaN scale. */
    private static int code(float x, int scale, DType dtype) {
        if (scale == NAN_SCALE) {
            return dtype == DType.F8_E4M3 ? dtype.encode(Float.NaN) : 0;
        }
        float m = largest(dtype);
        return dtype.encode(Math.clamp(x / DType.F8_E8M0.decode(scale), -m, m));
    }

    private static float largest(DType dtype) {
        return dtype == DType.F8_E4M3 ? 448f : 6f;
    }

    /** {@code x} with every value rounded to {@code dtype}, in place. */
    static void round(float[] x, DType dtype) {
        if (dtype != DType.F32) {
            for (int c = 0; c < x.length; c++) {
                x[c] = dtype.round(x[c]);
            }
        }
    }
}

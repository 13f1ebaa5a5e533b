package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.HeadNorm;
import dev.weft.op.RmsNorm;

/** Normalisations and the Hadamard rotation. */
final class NormReference {
    private NormReference() {}

    static void rmsNorm(RmsNorm op, HostOperand x, HostOperand w, HostOperand y) {
        float[] weight = w.row(0);
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            rmsNorm(row, weight, op.eps());
            y.setRow(i, row);
        }
    }

    /** {@code x = w * (x * 1/sqrt(mean(x^2) + eps))} in place, F32. */
    static void rmsNorm(float[] x, float[] w, float eps) {
        float r = inverseRms(x, eps);
        for (int c = 0; c < x.length; c++) {
            x[c] = w[c] * (x[c] * r);
        }
    }

    /** {@code 1/sqrt(mean(x^2) + eps)}. */
    static float inverseRms(float[] x, float eps) {
        double sum = 0;
        for (float v : x) {
            sum += (double) v * v;
        }
        return (float) (1 / Math.sqrt(sum / x.length + eps));
    }

    /** F32: {@code y = x * 1/sqrt(mean(x^2) + eps)}; BF16: the same with every intermediate rounded to BF16. */
    static void headNorm(HeadNorm op, HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            float r = x.dtype() == DType.BF16 ? bf16InverseRms(row, op.eps()) : inverseRms(row, op.eps());
            for (int c = 0; c < row.length; c++) {
                row[c] = row[c] * r;
            }
            y.setRow(i, row);
        }
    }

    private static float bf16InverseRms(float[] x, float eps) {
        double sum = 0;
        for (float v : x) {
            sum += DType.BF16.round(v * v);
        }
        float mean = DType.BF16.round((float) (sum / x.length));
        mean = DType.BF16.round(mean + eps);
        return DType.BF16.round((float) (1 / Math.sqrt(mean)));
    }

    static void hadamard(HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            hadamard(row);
            y.setRow(i, row);
        }
    }

    /** {@code x = n^-0.5 * x * H_n} in place: butterflies from stride 1 upwards, one factor at the end, F32. */
    static void hadamard(float[] x) {
        for (int stride = 1; stride < x.length; stride *= 2) {
            for (int c = 0; c < x.length; c++) {
                if ((c & stride) == 0) {
                    float a = x[c];
                    float b = x[c + stride];
                    x[c] = a + b;
                    x[c + stride] = a - b;
                }
            }
        }
        float factor = (float) (1 / Math.sqrt(x.length));
        for (int c = 0; c < x.length; c++) {
            x[c] *= factor;
        }
    }
}

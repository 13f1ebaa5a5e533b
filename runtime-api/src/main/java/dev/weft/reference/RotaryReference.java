package dev.weft.reference;

import dev.weft.op.Rotary;

/** Rotary position embedding. */
final class RotaryReference {
    private RotaryReference() {}

    static void rotary(Rotary op, HostOperand x, HostOperand positions, HostOperand y) {
        float[] frequencies = op.parameters().inverseFrequencies();
        int[] p = positions.ints(0);
        int heads = p.length == 0 ? 0 : x.rows() / p.length;
        for (int i = 0; i < p.length; i++) {
            for (int h = 0; h < heads; h++) {
                float[] row = x.row((long) i * heads + h);
                rotate(row, p[i], frequencies, op.inverse());
                y.setRow((long) i * heads + h, row);
            }
        }
    }

    /**
     * Rotates the last {@code 2 * frequencies.length} lanes of {@code x} in place, adjacent lanes being a pair:
     * {@code (x0, x1) -> (x0*c - x1*s, x0*s + x1*c)}. The angle is an F32 product, cosine and sine are those of the
     * rounded angle, every product is rounded to F32.
     */
    static void rotate(float[] x, int position, float[] frequencies, boolean inverse) {
        int first = x.length - 2 * frequencies.length;
        for (int i = 0; i < frequencies.length; i++) {
            float angle = (float) position * frequencies[i];
            float c = (float) Math.cos(angle);
            float s = (float) Math.sin(angle);
            s = inverse ? -s : s;
            float x0 = x[first + 2 * i];
            float x1 = x[first + 2 * i + 1];
            x[first + 2 * i] = x0 * c - x1 * s;
            x[first + 2 * i + 1] = x0 * s + x1 * c;
        }
    }
}

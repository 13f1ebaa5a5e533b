package dev.weft;

/** Bit-level codecs of the narrow formats: round to nearest, ties to even, on the IEEE bits. */
final class SmallFloats {
    private static final float[] E2M1 = {0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f};
    private static final float[] E4M3_TABLE = table(3, 7, false);
    private static final float[] E5M2_TABLE = table(2, 15, true);

    private SmallFloats() {}

    /** Values of all 256 codes of a sign + exponent + mantissa byte format. */
    private static float[] table(int mantissaBits, int bias, boolean hasInfinity) {
        float[] values = new float[256];
        int mantissas = 1 << mantissaBits;
        int lastExponent = 0x7F >> mantissaBits;
        for (int code = 0; code < 256; code++) {
            int exponent = (code & 0x7F) >> mantissaBits;
            int mantissa = code & (mantissas - 1);
            float magnitude;
            if (hasInfinity && exponent == lastExponent) {
                magnitude = mantissa == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
            } else if (!hasInfinity && (code & 0x7F) == 0x7F) {
                magnitude = Float.NaN;
            } else if (exponent == 0) {
                magnitude = Math.scalb((float) mantissa, 1 - bias - mantissaBits);
            } else {
                magnitude = Math.scalb((float) (mantissas + mantissa), exponent - bias - mantissaBits);
            }
            values[code] = (code & 0x80) == 0 ? magnitude : -magnitude;
        }
        return values;
    }

    static float e4m3(int code) {
        return E4M3_TABLE[code & 0xFF];
    }

    static float e5m2(int code) {
        return E5M2_TABLE[code & 0xFF];
    }

    static float e8m0(int code) {
        int b = code & 0xFF;
        if (b == 0xFF) {
            return Float.NaN;
        }
        // 2^-127 is subnormal in binary32: shifting the byte into the exponent field would give zero
        return b == 0 ? Float.intBitsToFloat(0x0040_0000) : Float.intBitsToFloat(b << 23);
    }

    static float e2m1(int code) {
        float magnitude = E2M1[code & 7];
        return (code & 8) == 0 ? magnitude : -magnitude;
    }

    static int toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (bits >>> 16) | 0x40;
        }
        return (bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16;
    }

    static int toE4m3(float value) {
        int sign = (Float.floatToRawIntBits(value) >>> 24) & 0x80;
        if (Float.isNaN(value)) {
            return sign | 0x7F;
        }
        return sign | roundMagnitude(Math.min(Math.abs(value), 448f), 3, 7);
    }

    static int toE5m2(float value) {
        int sign = (Float.floatToRawIntBits(value) >>> 24) & 0x80;
        if (Float.isNaN(value)) {
            return sign | 0x7F;
        }
        if (Float.isInfinite(value)) {
            return sign | 0x7C;
        }
        return sign | roundMagnitude(Math.min(Math.abs(value), 57344f), 2, 15);
    }

    static int toE2m1(float value) {
        int sign = (Float.floatToRawIntBits(value) >>> 28) & 0x8;
        if (Float.isNaN(value)) {
            return 7;
        }
        return sign | roundMagnitude(Math.min(Math.abs(value), 6f), 1, 1);
    }

    /** Code (without sign) of a finite magnitude that does not exceed the format's largest value. */
    private static int roundMagnitude(float magnitude, int mantissaBits, int bias) {
        int bits = Float.floatToRawIntBits(magnitude);
        int exponent = (bits >>> 23) - 127;
        int smallestNormal = 1 - bias;
        // the unit of the last place in the target: fixed below the smallest normal, relative above it
        int shift = 23 - mantissaBits + Math.max(0, smallestNormal - exponent);
        if (shift > 24) {
            return 0;
        }
        int significand = (bits & 0x7F_FFFF) | 0x80_0000;
        int kept = significand >>> shift;
        int rest = significand & ((1 << shift) - 1);
        int half = 1 << (shift - 1);
        if (rest > half || (rest == half && (kept & 1) == 1)) {
            kept++;
        }
        int biased = Math.max(exponent, smallestNormal) + bias;
        // a carry out of the mantissa lands in the exponent field, which is what rounding up means
        return kept + ((biased - 1) << mantissaBits);
    }

    static int toE8m0Ceiling(float value) {
        if (Float.isNaN(value) || value == Float.POSITIVE_INFINITY) {
            return 0xFF;
        }
        int bits = Float.floatToRawIntBits(value);
        if (bits <= 0x0040_0000) { // negative (sign bit set), zero and everything up to 2^-127
            return 0;
        }
        int exponent = bits >>> 23;
        return exponent + ((bits & 0x7F_FFFF) != 0 ? 1 : 0);
    }
}

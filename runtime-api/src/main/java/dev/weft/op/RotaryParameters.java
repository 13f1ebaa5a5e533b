package dev.weft.op;

/**
 * Rotary frequencies, optionally blended by YaRN. Magnitude is never scaled: cosine and sine stay of unit length.
 *
 * <p>Source: specification 1.3 and 5.1.
 *
 * @param dim rotated lanes, an even number; the last {@code dim} lanes of a row rotate
 * @param theta base of the geometric frequency series
 * @param factor YaRN stretch, 1 for plain rotary
 * @param originalPositions context length before stretching, unused when {@code factor} is 1
 * @param betaFast rotations above which a frequency is kept
 * @param betaSlow rotations below which a frequency is divided by {@code factor}
 */
public record RotaryParameters(
        int dim, double theta, double factor, int originalPositions, double betaFast, double betaSlow) {
    public RotaryParameters {
        Rules.attribute(dim > 0 && dim % 2 == 0, "rotary", "dim must be even and positive: found " + dim);
        Rules.attribute(theta > 1 && Double.isFinite(theta), "rotary", "theta must exceed 1: found " + theta);
        Rules.attribute(factor >= 1 && Double.isFinite(factor), "rotary", "factor must be 1 or more: found " + factor);
        Rules.attribute(
                factor == 1 || originalPositions > 0,
                "rotary",
                "originalPositions must be positive: found " + originalPositions);
    }

    /** Plain rotary without YaRN. */
    public static RotaryParameters plain(int dim, double theta) {
        return new RotaryParameters(dim, theta, 1, 0, 32, 1);
    }

    /**
     * The {@code dim/2} inverse frequencies in F32, evaluated step by step in F32 as the publisher's code does. The
     * angle of position p is {@code f32(f32(p) * f_i)}: the product is rounded before cosine and sine.
     */
    public float[] inverseFrequencies() {
        float[] f = new float[dim / 2];
        for (int i = 0; i < f.length; i++) {
            float exponent = (float) (2 * i) / (float) dim;
            f[i] = 1f / (float) Math.pow((float) theta, exponent);
        }
        if (factor == 1) {
            return f;
        }
        double low = Math.max(Math.floor(correction(betaFast)), 0);
        double high = Math.min(Math.ceil(correction(betaSlow)), dim - 1);
        float span = (float) ((low == high ? high + 0.001 : high) - low);
        for (int i = 0; i < f.length; i++) {
            float ramp = Math.clamp(((float) i - (float) low) / span, 0f, 1f);
            float keep = 1f - ramp;
            f[i] = f[i] / (float) factor * (1f - keep) + f[i] * keep;
        }
        return f;
    }

    /** Lane pair that turns {@code rotations} times over the original context. */
    private double correction(double rotations) {
        return dim * Math.log(originalPositions / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
    }
}

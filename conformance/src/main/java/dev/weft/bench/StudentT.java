package dev.weft.bench;

/**
 * Student's t distribution.
 *
 * <p>Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.8 and 26.7.1; the gamma function after
 * Lanczos, SIAM J. Numer. Anal. B 1 (1964).
 */
final class StudentT {
    private static final double[] LANCZOS = {
        0.99999999999980993,
        676.5203681218851,
        -1259.1392167224028,
        771.32342877765313,
        -176.61502916214059,
        12.507343278686905,
        -0.13857109526572012,
        9.9843695780195716e-6,
        1.5056327351493116e-7
    };

    private static final int LANCZOS_G = 7;
    private static final int MOST_TERMS = 500;
    private static final double PRECISION = 1e-15;

    /** Stands for a denominator of zero in the continued fraction. */
    private static final double TINY = 1e-300;

    private StudentT() {}

    /** Chance of a value at least as far from zero as {@code t}. @param freedom degrees of freedom, need not be whole */
    static double twoSided(double t, double freedom) {
        return beta(freedom / (freedom + t * t), freedom / 2, 0.5);
    }

    /** The value that is exceeded in size with chance {@code p}, above 0 and at most 1. */
    static double critical(double p, double freedom) {
        double low = 0;
        double high = 1;
        while (twoSided(high, freedom) > p) {
            high *= 2;
        }
        while (high - low > 1e-12 * high) {
            double middle = (low + high) / 2;
            if (twoSided(middle, freedom) > p) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return high;
    }

    /** Regularised incomplete beta function. */
    private static double beta(double x, double a, double b) {
        if (x <= 0 || x >= 1) {
            return x <= 0 ? 0 : 1;
        }
        if (x > (a + 1) / (a + b + 2)) {
            return 1 - beta(1 - x, b, a); // the fraction converges slowly there
        }
        double front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
        return front / a / fraction(x, a, b);
    }

    /** The denominator of the continued fraction, evaluated from its beginning by Lentz's method. */
    private static double fraction(double x, double a, double b) {
        double value = 1;
        double c = 1;
        double d = 0;
        for (int i = 1; i < MOST_TERMS; i++) {
            int m = i / 2;
            double term = i % 2 == 0
                    ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                    : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
            d = 1 / away(1 + term * d);
            c = away(1 + term / c);
            value *= c * d;
            if (Math.abs(c * d - 1) < PRECISION) {
                break;
            }
        }
        return value;
    }

    private static double away(double value) {
        return Math.abs(value) < TINY ? TINY : value;
    }

    private static double logGamma(double x) {
        double sum = LANCZOS[0];
        for (int i = 1; i < LANCZOS.length; i++) {
            sum += LANCZOS[i] / (x - 1 + i);
        }
        double t = x - 0.5 + LANCZOS_G;
        return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
    }
}

package dev.weft.bench;

import dev.weft.RequestException;
import java.util.Arrays;

/**
 * How much faster a second measurement is than a first, with what chance can explain: Welch's t test on the logarithms of
 * the times, whose spread may differ. Only what varies from round to round within each measurement is known to it; what
 * changed between the two without being meant, as in the clock of the processor, counts as a difference.
 *
 * <p>Source: B. L. Welch, The generalization of "Student's" problem when several different population variances are
 * involved, Biometrika 34 (1947).
 *
 * @param ratio speed of the second over speed of the first, of geometric means; above 1 if the second is faster
 * @param low lower end of the interval of confidence
 * @param high upper end
 * @param p chance of a ratio at least as far from 1 if there were no difference
 * @param verdict what can be said at the confidence asked for
 */
public record SpeedRatio(double ratio, double low, double high, double p, Verdict verdict) {
    /** What can be said. */
    public enum Verdict {
        FASTER,
        SLOWER,
        /** The interval contains 1: no difference was seen, which is no proof that there is none. */
        SAME
    }

    /**
     * Compares.
     *
     * @param before times of the first, all positive, two or more
     * @param after times of the second
     * @param confidence above 0 and below 1, as in 0.95
     * @throws RequestException if there are too few times or one is no positive number
     */
    public static SpeedRatio of(double[] before, double[] after, double confidence) {
        if (!(confidence > 0 && confidence < 1)) {
            throw new RequestException("speed ratio: found confidence " + confidence + ", expected above 0, below 1");
        }
        double[] a = logarithms("first", before);
        double[] b = logarithms("second", after);
        double difference = Sample.mean(a) - Sample.mean(b);
        double va = Sample.variance(a) / a.length;
        double vb = Sample.variance(b) / b.length;
        double error = Math.sqrt(va + vb);
        if (error == 0) { // no spread at all: the clock is coarser than the work's noise
            return new SpeedRatio(
                    Math.exp(difference),
                    Math.exp(difference),
                    Math.exp(difference),
                    difference == 0 ? 1 : 0,
                    verdict(difference, difference));
        }
        double freedom = (va + vb) * (va + vb) / (va * va / (a.length - 1) + vb * vb / (b.length - 1));
        double reach = StudentT.critical(1 - confidence, freedom) * error;
        return new SpeedRatio(
                Math.exp(difference),
                Math.exp(difference - reach),
                Math.exp(difference + reach),
                StudentT.twoSided(difference / error, freedom),
                verdict(difference - reach, difference + reach));
    }

    /** How much longer the second takes, in percent; negative if it takes less. */
    public double slowdownPercent() {
        return (1 / ratio - 1) * 100;
    }

    private static Verdict verdict(double low, double high) {
        if (low > 0) {
            return Verdict.FASTER;
        }
        return high < 0 ? Verdict.SLOWER : Verdict.SAME;
    }

    private static double[] logarithms(String which, double[] times) {
        if (times.length < 2 || !Arrays.stream(times).allMatch(t -> t > 0 && t < Double.POSITIVE_INFINITY)) {
            throw new RequestException("speed ratio: found " + times.length + " times of the " + which + ": "
                    + Arrays.toString(times) + ", expected two or more, all positive");
        }
        return Arrays.stream(times).map(Math::log).toArray();
    }
}

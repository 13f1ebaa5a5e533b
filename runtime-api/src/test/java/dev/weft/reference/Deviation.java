package dev.weft.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Comparison with golden values; what was measured is logged, so that a limit can be judged. */
final class Deviation {
    private static final Logger LOG = LoggerFactory.getLogger(Deviation.class);

    private Deviation() {}

    /** Same bits everywhere; any NaN equals any NaN. */
    static void assertSameBits(String what, float[] expected, float[] actual) {
        assertEquals(expected.length, actual.length, what);
        for (int i = 0; i < expected.length; i++) {
            boolean same = Float.floatToRawIntBits(expected[i]) == Float.floatToRawIntBits(actual[i])
                    || Float.isNaN(expected[i]) && Float.isNaN(actual[i]);
            int at = i;
            assertTrue(same, () -> what + "[" + at + "]: expected " + expected[at] + ", found " + actual[at]);
        }
        LOG.debug("{}: {} values, same bits", what, expected.length);
    }

    /** Largest absolute difference at most {@code limit}. */
    static void assertAbsolute(String what, double limit, float[] expected, float[] actual) {
        report(what, largest(what, expected, actual), limit);
    }

    /** Largest absolute difference at most {@code limit} times the largest golden magnitude. */
    static void assertRelativeToMax(String what, double limit, float[] expected, float[] actual) {
        double max = 0;
        for (float e : expected) {
            max = Math.max(max, Math.abs(e));
        }
        assertTrue(max > 0, what + ": golden values are all zero");
        report(what, largest(what, expected, actual) / max, limit);
    }

    /** Every element within {@code limit} times its own golden magnitude. */
    static void assertRelative(String what, double limit, float[] expected, float[] actual) {
        assertEquals(expected.length, actual.length, what);
        double worst = 0;
        for (int i = 0; i < expected.length; i++) {
            double difference = Math.abs((double) expected[i] - actual[i]);
            worst = Math.max(worst, difference == 0 ? 0 : difference / Math.abs(expected[i]));
        }
        report(what, worst, limit);
    }

    /** At least {@code share} of the elements within {@code limit}, and every one within {@code outer}. */
    static void assertMost(String what, double share, double limit, double outer, float[] expected, float[] actual) {
        int within = 0;
        for (int i = 0; i < expected.length; i++) {
            within += Math.abs((double) expected[i] - actual[i]) <= limit ? 1 : 0;
        }
        double found = (double) within / expected.length;
        LOG.debug("{}: {} of the elements within {}", what, found, limit);
        report(what, largest(what, expected, actual), outer);
        assertTrue(found >= share, what + ": only " + found + " of the elements within " + limit);
    }

    private static double largest(String what, float[] expected, float[] actual) {
        assertEquals(expected.length, actual.length, what);
        double worst = 0;
        for (int i = 0; i < expected.length; i++) {
            if (expected[i] != actual[i]) { // infinities of one sign differ by NaN
                // Math.max keeps a NaN difference, which then fails the comparison with the limit
                worst = Math.max(worst, Math.abs((double) expected[i] - actual[i]));
            }
        }
        return worst;
    }

    private static void report(String what, double worst, double limit) {
        LOG.debug("{}: largest difference {}, limit {}", what, String.format(Locale.ROOT, "%.3g", worst), limit);
        assertTrue(worst <= limit, what + ": largest difference " + worst + ", limit " + limit);
    }
}

package dev.weft.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Numbers as a table prints them. */
final class Shown {
    private Shown() {}

    /** Asserts that a value, rounded to the digits of {@code expected}, is {@code expected}. */
    static void equal(String expected, double value, String what) {
        int point = expected.indexOf('.');
        int decimals = point < 0 ? 0 : expected.length() - point - 1;
        // the page rounds a half to the even digit
        assertThat(new BigDecimal(value)
                        .setScale(decimals, RoundingMode.HALF_EVEN)
                        .toPlainString())
                .as("%s, found %s", what, value)
                .isEqualTo(expected);
    }
}

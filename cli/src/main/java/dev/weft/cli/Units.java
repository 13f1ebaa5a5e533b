package dev.weft.cli;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** Quantities for people. */
final class Units {
    private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    private static final String[] DECIMAL = {"", "thousand", "million", "billion", "trillion"};

    private Units() {}

    /** As in {@code 7.6 MiB}. */
    static String bytes(long bytes) {
        int i = 0;
        double value = bytes;
        while (value >= 1024 && i < BINARY.length - 1) {
            value /= 1024;
            i++;
        }
        return String.format(Locale.ROOT, i == 0 ? "%.0f %s" : "%.1f %s", value, BINARY[i]);
    }

    /** As in {@code 7.67 million}. */
    static String count(long n) {
        int i = 0;
        double value = n;
        while (value >= 1000 && i < DECIMAL.length - 1) {
            value /= 1000;
            i++;
        }
        return i == 0 ? Long.toString(n) : String.format(Locale.ROOT, "%.2f %s", value, DECIMAL[i]);
    }

    /** As in {@code 2.3 ms}. */
    static String duration(long nanos) {
        String[] units = {"ns", "us", "ms", "s"};
        int i = 0;
        double value = nanos;
        while (value >= 1000 && i < units.length - 1) {
            value /= 1000;
            i++;
        }
        return String.format(Locale.ROOT, "%.1f %s", value, units[i]);
    }

    /** As in {@code 1,048,576}. */
    static String grouped(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    /** With so many decimals, or as many as show two digits that are not leading zeros. */
    static String decimal(int decimals, double value) {
        String fixed = String.format(Locale.ROOT, "%." + decimals + "f", value);
        boolean tells = value == 0 || Math.abs(value) >= Math.pow(10, 1 - decimals) || !Double.isFinite(value);
        return tells ? fixed : new BigDecimal(value).round(new MathContext(2)).toPlainString();
    }

    /** Things per second. */
    static double rate(long things, long nanos) {
        return things * 1e9 / Math.max(1, nanos);
    }
}

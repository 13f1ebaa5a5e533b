package dev.weft.conformance;

import dev.weft.op.Tolerance;
import java.util.function.LongPredicate;

/** Compares one result with the reference's under a tolerance. */
record Comparison(String name, HostTensor expected, HostTensor found, Tolerance tolerance) {
    /** @throws Mismatch at the first element that breaks the tolerance */
    void check() {
        check(i -> true);
    }

    /** For a state: what the reference left as it was must keep its bits. @throws Mismatch at the first that did not */
    void checkUpdate(HostTensor before) {
        for (long i = 0; i < before.size(); i++) {
            if (before.code(i) == expected.code(i) && found.code(i) != before.code(i) && !found.same(i, expected)) {
                // rewriting a row with a value that happens to be the old one is the reference's right, not a rule
                if (tolerance.isExact() || isUntouchedRow(before, i)) {
                    throw bad(i, "this row is not addressed and must keep its bits");
                }
            }
        }
        check(i -> before.code(i) != expected.code(i));
    }

    private boolean isUntouchedRow(HostTensor before, long element) {
        long width = before.dim(-1);
        long first = element / width * width;
        for (long i = first; i < first + width; i++) {
            if (before.code(i) != expected.code(i)) {
                return false;
            }
        }
        return true;
    }

    /** @throws Mismatch unless both have the same bits, scales included */
    static void identical(String name, HostTensor first, HostTensor other, String what) {
        for (long i = 0; i < first.size(); i++) {
            // which NaN comes out may depend on how the JVM happened to compile an expression
            boolean bothNaN = Double.isNaN(first.value(i)) && Double.isNaN(other.value(i));
            if (first.code(i) != other.code(i) && !bothNaN) {
                throw new Mismatch(name + first.coordinate(i) + ": " + what + " gives other bits: found "
                        + other.value(i) + ", expected " + first.value(i));
            }
        }
        long scale = first.scales().mismatch(other.scales());
        if (scale >= 0) {
            throw new Mismatch(name + ": " + what + " gives another scale byte " + scale);
        }
    }

    private void check(LongPredicate counted) {
        if (tolerance.isExact()) {
            checkExact();
            return;
        }
        double largest = 0;
        for (long i = 0; i < expected.size(); i++) {
            double e = expected.value(i);
            largest = counted.test(i) && Double.isFinite(e) ? Math.max(largest, Math.abs(e)) : largest;
        }
        double limit = tolerance.relative() * largest;
        double error = 0;
        double norm = 0;
        for (long i = 0; i < expected.size(); i++) {
            double e = expected.value(i);
            double f = found.value(i);
            if (!counted.test(i) || expected.same(i, found)) {
                norm += counted.test(i) && Double.isFinite(e) ? e * e : 0;
                continue;
            }
            if (!Double.isFinite(e) || !Double.isFinite(f)) {
                throw bad(i, "NaN and infinities must be where the reference has them");
            }
            if (!(Math.abs(e - f) <= limit)) {
                throw bad(i, "limit " + limit + ", " + tolerance.relative() + " of the largest value " + largest);
            }
            error += (e - f) * (e - f);
            norm += e * e;
        }
        if (error > tolerance.nmse() * norm) {
            throw new Mismatch(
                    name + ": normalised squared error: found " + error / norm + ", limit " + tolerance.nmse());
        }
    }

    private void checkExact() {
        for (long i = 0; i < expected.size(); i++) {
            if (!expected.same(i, found)) {
                throw bad(i, "limit: same bits");
            }
        }
        long scale = expected.scales().mismatch(found.scales());
        if (scale >= 0) {
            throw new Mismatch(name + ": scale byte " + scale + ": found "
                    + (found.scales().get(java.lang.foreign.ValueLayout.JAVA_BYTE, scale) & 0xFF) + ", expected "
                    + (expected.scales().get(java.lang.foreign.ValueLayout.JAVA_BYTE, scale) & 0xFF));
        }
    }

    private Mismatch bad(long i, String rule) {
        return new Mismatch(name + " " + expected.type() + " at " + expected.coordinate(i) + ": found " + found.value(i)
                + ", expected " + expected.value(i) + " (" + rule + ")");
    }
}

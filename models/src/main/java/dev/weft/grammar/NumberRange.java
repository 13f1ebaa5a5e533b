package dev.weft.grammar;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decimal numbers between bounds, as an expression: an automaton compares digit by digit. Numbers are written without
 * exponent, with at most 19 digits before the point and 17 after it, and zero without a minus.
 */
final class NumberRange {
    private static final int MOST_INTEGER_DIGITS = 19;
    private static final int MOST_FRACTION_DIGITS = 17;
    private static final int LONGEST_BOUND = 40;

    /**
     * An end of a range.
     *
     * @param value the number
     * @param open whether the number itself is outside
     */
    record Bound(BigDecimal value, boolean open) {
        private Bound negated() {
            return new Bound(value.negate(), open);
        }
    }

    private NumberRange() {}

    /** Whether a bound is short enough to be compared digit by digit. */
    static boolean isComparable(BigDecimal bound) {
        return bound.precision() <= LONGEST_BOUND && Math.abs(bound.scale()) <= LONGEST_BOUND;
    }

    /**
     * Numbers of a range.
     *
     * @param integer whether there is no fraction
     * @param least null for none
     * @param greatest null for none
     */
    static Expr of(boolean integer, @Nullable Bound least, @Nullable Bound greatest) {
        List<Expr> signs = new ArrayList<>();
        if (greatest == null || greatest.value.signum() >= 0) {
            Bound from = least == null || least.value.signum() < 0 ? new Bound(BigDecimal.ZERO, false) : least;
            signs.add(new Expr.Machine(unsigned(integer, from, greatest)));
        }
        if (least == null || least.value.signum() < 0) {
            Bound from = greatest == null || greatest.value.signum() >= 0
                    ? new Bound(BigDecimal.ZERO, true)
                    : greatest.negated();
            Bound to = least == null ? null : least.negated();
            signs.add(Expr.seq(Expr.oneByte('-'), new Expr.Machine(unsigned(integer, from, to))));
        }
        return new Expr.Alt(signs);
    }

    private static Dfa unsigned(boolean integer, Bound least, @Nullable Bound greatest) {
        Digits low = Digits.of(least.value);
        Digits high = Digits.of(greatest == null ? BigDecimal.ZERO : greatest.value);
        return Dfa.explore(
                new Prefix(Part.START, 0, 0, 0),
                p -> p.isNumber()
                        && isAbove(p.compared(p.low, low), least)
                        && (greatest == null || isAbove(-p.compared(p.high, high), greatest)),
                (p, value) -> {
                    if (value == '.') {
                        return integer ? null : p.point(low, high);
                    }
                    return value < '0' || value > '9' ? null : p.append(value - '0', low, high);
                });
    }

    private static boolean isAbove(int compared, Bound bound) {
        return compared > 0 || (compared == 0 && !bound.open);
    }

    /**
     * Digits of a bound, not negative.
     *
     * @param integer before the point, at least one
     * @param fraction after it, the last one not zero
     */
    private record Digits(String integer, String fraction) {
        static Digits of(BigDecimal value) {
            String plain =
                    value.signum() == 0 ? "0" : value.abs().stripTrailingZeros().toPlainString();
            int point = plain.indexOf('.');
            return point < 0
                    ? new Digits(plain, "")
                    : new Digits(plain.substring(0, point), plain.substring(point + 1));
        }
    }

    private enum Part {
        START,
        /** A zero, which no digit may follow. */
        ZERO,
        INTEGER,
        FRACTION
    }

    /**
     * The beginning of a number.
     *
     * @param part what was written last
     * @param digits written of this part
     * @param low negative, zero or positive: how what is written compares with as many digits of the lower bound
     * @param high the same for the upper bound
     */
    private record Prefix(Part part, int digits, int low, int high) {
        boolean isNumber() {
            return part == Part.ZERO || part == Part.INTEGER || (part == Part.FRACTION && digits > 0);
        }

        @Nullable
        Prefix append(int digit, Digits lower, Digits upper) {
            boolean fraction = part == Part.FRACTION;
            if (part == Part.ZERO || digits == (fraction ? MOST_FRACTION_DIGITS : MOST_INTEGER_DIGITS)) {
                return null;
            }
            Part next = part == Part.START ? (digit == 0 ? Part.ZERO : Part.INTEGER) : part;
            return new Prefix(next, digits + 1, next(low, digit, lower), next(high, digit, upper));
        }

        private int next(int compared, int digit, Digits bound) {
            String known = part == Part.FRACTION ? bound.fraction : bound.integer;
            int other = digits < known.length() ? known.charAt(digits) - '0' : 0;
            return compared != 0 ? compared : Integer.compare(digit, other);
        }

        @Nullable
        Prefix point(Digits lower, Digits upper) {
            return part == Part.ZERO || part == Part.INTEGER
                    ? new Prefix(Part.FRACTION, 0, ofInteger(low, lower), ofInteger(high, upper))
                    : null;
        }

        /** How the integer part compares with that of a bound: more digits are a greater number. */
        private int ofInteger(int compared, Digits bound) {
            return digits != bound.integer.length() ? Integer.compare(digits, bound.integer.length()) : compared;
        }

        /** How the number written so far compares with a bound. */
        int compared(int compared, Digits bound) {
            boolean fraction = part == Part.FRACTION;
            int sofar = fraction ? compared : ofInteger(compared, bound);
            int written = fraction ? digits : 0;
            return sofar == 0 && written < bound.fraction.length() ? -1 : sofar; // more digits, the last not zero
        }
    }
}

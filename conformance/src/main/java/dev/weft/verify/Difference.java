package dev.weft.verify;

import dev.weft.DType;
import dev.weft.conformance.HostTensor;
import dev.weft.op.Tolerance;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How far a result is from the reference's. Equal elements, NaN included, differ by nothing; where one of the two is NaN or
 * infinite, they differ by infinity. Of a state only what the reference changed counts for the norm.
 *
 * @param result name of the result for people
 * @param dtype its format; values are those of the codes, without block scales
 * @param elements number of elements
 * @param differing how many are not the same
 * @param nmse normalised squared error, {@code sum((found-expected)^2) / sum(expected^2)}
 * @param largest largest absolute difference
 * @param ulps largest difference in units of the last place: representable numbers between the two, across zero too; empty
 *     for formats that are no floats
 * @param share what of its tolerance the result uses up, the larger of the shares of squared error and of largest
 *     difference; above 1 exactly if it breaks the operator's contract
 */
public record Difference(
        String result,
        DType dtype,
        long elements,
        long differing,
        double nmse,
        Spot largest,
        Optional<Spot> ulps,
        double share) {
    /**
     * A place of a tensor.
     *
     * @param amount what is largest there
     * @param at coordinate, as in {@code [3, 17]}
     */
    public record Spot(double amount, String at, double found, double expected) {}

    /**
     * Measures a result.
     *
     * @param before the state that the operator updates, as it was; null for other results
     * @param broken whether the result breaks the contract, which for some operators is more than a tolerance
     */
    static Difference of(
            String result,
            HostTensor expected,
            HostTensor found,
            @Nullable HostTensor before,
            Tolerance tolerance,
            boolean broken) {
        boolean isFloat = expected.type().dtype().isFloat();
        long differing = 0;
        double error = 0;
        double norm = 0;
        double peak = 0;
        long worst = 0;
        double most = 0;
        long farthest = 0;
        double ulps = 0;
        for (long i = 0; i < expected.size(); i++) {
            double e = expected.value(i);
            if (Double.isFinite(e) && (before == null || before.code(i) != expected.code(i))) {
                norm += e * e;
                peak = Math.max(peak, Math.abs(e));
            }
            if (expected.same(i, found)) {
                continue;
            }
            differing++;
            double distance = distance(found.value(i), e);
            error += distance * distance;
            if (distance > most) {
                most = distance;
                worst = i;
            }
            double steps = isFloat && Double.isFinite(distance) ? ulps(expected, found, i) : distance;
            if (steps > ulps) {
                ulps = steps;
                farthest = i;
            }
        }
        double nmse = ratio(error, norm);
        double share = tolerance.isExact()
                ? 0
                : Math.max(ratio(nmse, tolerance.nmse()), ratio(most, tolerance.relative() * peak));
        return new Difference(
                result,
                expected.type().dtype(),
                expected.size(),
                differing,
                nmse,
                spot(most, worst, expected, found),
                isFloat ? Optional.of(spot(ulps, farthest, expected, found)) : Optional.empty(),
                broken ? (share > 1 ? share : Double.POSITIVE_INFINITY) : Math.min(share, 1));
    }

    private static Spot spot(double amount, long element, HostTensor expected, HostTensor found) {
        return element < expected.size()
                ? new Spot(amount, expected.coordinate(element), found.value(element), expected.value(element))
                : new Spot(0, "[]", 0, 0);
    }

    private static double distance(double found, double expected) {
        double distance = Math.abs(found - expected);
        return Double.isNaN(distance) ? Double.POSITIVE_INFINITY : distance;
    }

    private static double ratio(double part, double whole) {
        return part == 0 ? 0 : part / whole;
    }

    private static double ulps(HostTensor a, HostTensor b, long i) {
        return Math.abs((double) (place(a, i) - place(b, i)));
    }

    /** Position of a number among all of its format; the two zeros are one. */
    private static long place(HostTensor t, long i) {
        DType dtype = t.type().dtype();
        if (dtype == DType.F8_E8M0) {
            return t.code(i); // has no sign
        }
        long sign = 1L << (dtype.bits() - 1);
        long code = t.code(i) & (2 * sign - 1);
        return (code & sign) == 0 ? code : -(code - sign);
    }
}

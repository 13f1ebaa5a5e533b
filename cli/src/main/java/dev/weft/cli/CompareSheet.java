package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.verify.Difference;
import dev.weft.verify.ModeReport;
import dev.weft.verify.NodeOutcome;
import dev.weft.verify.NodeReport;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * What {@code weft compare} found, and how its numbers are written for people.
 *
 * @param command the command line
 * @param model folder of the model, or the operator
 * @param seed of the prompt; -1 if the tokens were given
 * @param prefill tokens of the prompt; 0 if an operator was compared
 * @param decode tokens after it; 0 if an operator was compared
 * @param modes one report per numeric mode, or the operator's
 */
record CompareSheet(String command, String model, long seed, int prefill, int decode, List<ModeReport> modes) {
    /** A node that ran on a device. */
    record Worst(DeviceId device, NodeReport node, NodeOutcome.Compared outcome) {
        Difference difference() {
            return outcome.difference();
        }
    }

    /** Whether a model was compared, and not an operator. */
    boolean isModel() {
        return prefill > 0;
    }

    /** What a report is about, as in {@code numerics fp32}. */
    static String title(ModeReport report) {
        return report.mode()
                .map(m -> "numerics " + NumericModeConverter.name(m))
                .orElse("operator " + report.graph());
    }

    boolean passed() {
        return modes.stream().allMatch(ModeReport::passed);
    }

    /** The nodes of a device that use up most of their tolerance, largest first; none whose bits are the reference's. */
    static List<Worst> worst(ModeReport mode, DeviceId device, int most) {
        Comparator<Worst> order = Comparator.comparingDouble(
                        (Worst w) -> w.difference().share())
                .thenComparingDouble(w -> w.difference().nmse())
                .reversed();
        return mode.nodes().stream()
                .flatMap(n -> n.outcomes().get(device) instanceof NodeOutcome.Compared c
                        ? Stream.of(new Worst(device, n, c))
                        : Stream.empty())
                .filter(w -> w.difference().differing() > 0 || !w.outcome().isRight())
                .sorted(order)
                .limit(most)
                .toList();
    }

    /** What a wrong outcome is about. */
    static String complaint(NodeOutcome wrong) {
        return switch (wrong) {
            case NodeOutcome.Compared c -> c.violation().orElse("");
            case NodeOutcome.Failed f -> f.message();
            case NodeOutcome.Unsupported u -> u.reason();
        };
    }

    /** An error, as in {@code 1.3e-07}. */
    static String error(double value) {
        return value == 0 ? "0" : String.format(Locale.ROOT, "%.1e", value);
    }

    /** A share, as in {@code 0.042}, and more digits where those would be zeros. */
    static String share(double value) {
        return Double.isFinite(value) && value < 1000 ? Units.decimal(3, value) : error(value);
    }

    /** A number of units in the last place. */
    static String ulps(Difference difference) {
        return difference
                .ulps()
                .map(u -> u.amount() < 1e6 ? String.format(Locale.ROOT, "%.0f", u.amount()) : error(u.amount()))
                .orElse("-");
    }

    static String millis(double seconds) {
        return Units.decimal(3, seconds * 1e3);
    }
}

package dev.weft.cli;

import dev.weft.plan.CostModel;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the options of {@code weft plan} are made of. */
final class PlanValues {
    private static final Pattern TOKENS = Pattern.compile("(\\d{1,13})([kKmM]?)");

    private PlanValues() {}

    /** Values divided by commas. @throws UsageException if one is empty */
    static <T> List<T> list(String option, String text, Function<String, T> value) {
        List<T> all = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            if (part.isBlank()) {
                throw new UsageException(
                        option + ": found '" + text + "', expected values divided by commas, none of them empty");
            }
            T v = value.apply(part.strip());
            if (!all.contains(v)) {
                all.add(v);
            }
        }
        return all;
    }

    /** A number of tokens, exact, or with K = 1024 or M = 1024 * 1024. @throws UsageException if it is none */
    static long tokens(String option, String text) {
        Matcher m = TOKENS.matcher(text);
        if (m.matches()) {
            long unit = switch (m.group(2)) {
                case "k", "K" -> 1L << 10;
                case "m", "M" -> 1L << 20;
                default -> 1;
            };
            long n = Long.parseLong(m.group(1));
            if (n >= 1 && n <= CostModel.MAX_CONTEXT / unit) {
                return n * unit;
            }
        }
        throw new UsageException(option + ": found '" + text + "', expected 1 to " + CostModel.MAX_CONTEXT
                + " tokens, as in 1000000, 128K or 1M (K = 1024, M = 1048576)");
    }

    /** A whole number. @throws UsageException if it is none or out of range */
    static int integer(String option, String text, int least, int most) {
        try {
            int n = Integer.parseInt(text);
            if (n >= least && n <= most) {
                return n;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new UsageException(option + ": found '" + text + "', expected " + least + " to " + most);
    }

    /** One of some names. @throws UsageException if it is none of them */
    static <T> T oneOf(String option, String text, List<T> all, Function<T, String> name) {
        return all.stream()
                .filter(v -> name.apply(v).equals(text))
                .findFirst()
                .orElseThrow(() -> new UsageException(option + ": found '" + text + "', expected "
                        + String.join(", ", all.stream().map(name).toList())));
    }
}

package dev.weft.cli;

import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is spread over the ranks besides the routed experts.
 *
 * @param head ranks of a block for embedding and output head, 1 for none, {@link #LARGEST}
 * @param output ranks of a block for the output projections of attention, 1 for none, {@link #LARGEST}
 * @param context whether long prompts are
 */
record Spread(int head, int output, boolean context) {
    private static final int LARGEST = 0;
    private static final Pattern PART = Pattern.compile("(head|output)(?:=([1-9]\\d{0,6}))?|context");

    /** What {@code --spread} says. @throws UsageException if a part is unknown */
    static Spread of(List<String> parts) {
        int head = 1;
        int output = 1;
        boolean context = false;
        Set<String> named = new HashSet<>();
        for (String part : parts) {
            Matcher m = PART.matcher(part);
            if (!m.matches()) {
                throw new UsageException("--spread: found '" + part + "', expected head, output, both also with =N for"
                        + " blocks of N ranks, or context");
            }
            if (!named.add(part.replaceFirst("=.*", ""))) {
                throw new UsageException("--spread: found '" + part + "' besides another of its kind, expected one");
            }
            int block = m.group(2) == null ? LARGEST : Integer.parseInt(m.group(2));
            switch (m.group(1)) {
                case "head" -> head = block;
                case "output" -> output = block;
                case null, default -> context = true;
            }
        }
        return new Spread(head, output, context);
    }

    /** How a model is laid out over so many ranks. */
    ParallelPlan plan(int ranks, ModelConfig config) {
        ParallelPlan plan = ParallelPlan.experts(ranks)
                .withHead(head == LARGEST ? ParallelPlan.largestHead(ranks, config) : head)
                .withOutput(output == LARGEST ? ParallelPlan.largestOutput(ranks, config) : output);
        return context ? plan.withContext() : plan;
    }
}

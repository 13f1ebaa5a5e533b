package dev.weft.cli;

import dev.weft.conformance.Outcome;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Cases of one kind, such as those of an operator: how many passed, which failed, and why some could not run. */
final class VerifyTally {
    private static final int SHOWN_FAILURES = 5;

    private final String name;
    private final List<String> failures = new ArrayList<>();
    private final Set<String> reasons = new LinkedHashSet<>();
    private int passed;
    private int unsupported;

    VerifyTally(String name) {
        this.name = name;
    }

    /** Counts a case. */
    void add(Outcome outcome) {
        switch (outcome) {
            case Outcome.Passed p -> passed++;
            case Outcome.Failed f -> failures.add(f.message());
            case Outcome.Unsupported u -> {
                unsupported++;
                reasons.add(u.reason());
            }
        }
    }

    int cases() {
        return passed + failures.size() + unsupported;
    }

    int passed() {
        return passed;
    }

    int failed() {
        return failures.size();
    }

    int unsupported() {
        return unsupported;
    }

    void print(Terminal terminal) {
        terminal.printf(
                "%-16s %4d passed %4d failed %4d unsupported%s%n",
                name, passed, failures.size(), unsupported, reasons.isEmpty() ? "" : " (" + reasons() + ")");
        failures.stream().limit(SHOWN_FAILURES).forEach(f -> terminal.printf("    %s%n", f));
        if (failures.size() > SHOWN_FAILURES) {
            terminal.printf("    and %d more; --json lists all%n", failures.size() - SHOWN_FAILURES);
        }
    }

    private String reasons() {
        return String.join("; ", reasons);
    }

    void toJson(ObjectNode target) {
        target.put("passed", passed).put("failed", failures.size()).put("unsupported", unsupported);
        ArrayNode list = target.putArray("failures");
        failures.forEach(list::add);
        ArrayNode why = target.putArray("reasons");
        reasons.forEach(why::add);
    }
}

package dev.weft.cli;

import dev.weft.conformance.ModelSize;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.VendorFunctions;
import dev.weft.spi.VendorFunctions.Answer;
import dev.weft.spi.VendorFunctions.Finding;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.node.ArrayNode;

/**
 * What an installed library says to the calls that a device's kernels would make.
 *
 * @param answers one per function
 */
record VerifyFunctions(List<Answer> answers) {
    VerifyFunctions {
        answers = List.copyOf(answers);
    }

    /** The cases at which operators are asked and verified: the conformance suite's and those of the models' sizes. */
    static List<OpCase> cases() {
        return Stream.concat(OpCases.all().stream(), ModelSize.cases()).toList();
    }

    /** Asks about the cases; empty for devices that call no installed library. */
    static Optional<VerifyFunctions> of(BackendDevice device, List<OpCase> cases) {
        if (!(device instanceof VendorFunctions functions)) {
            return Optional.empty();
        }
        List<OpInstance> instances =
                cases.stream().map(OpCase::instance).distinct().toList();
        return Optional.of(new VerifyFunctions(functions.ask(instances)));
    }

    private String counts() {
        Map<Finding, Long> counts = answers.stream()
                .collect(Collectors.groupingBy(
                        Answer::finding, () -> new EnumMap<>(Finding.class), Collectors.counting()));
        return counts.entrySet().stream()
                .map(e -> e.getValue() + " " + e.getKey())
                .collect(Collectors.joining(", "));
    }

    /** The counts, and every function that is not accepted with its reason; one thing a line. */
    List<String> lines() {
        Stream<String> others = answers.stream()
                .filter(a -> a.finding() != Finding.ACCEPTED)
                .map(a -> "    " + a.function() + ": " + reason(a));
        return Stream.concat(
                        Stream.of(answers.size() + " functions that operators call were asked, none run: " + counts()),
                        others)
                .toList();
    }

    /** Reasons may begin with the finding. */
    private static String reason(Answer a) {
        return a.detail().startsWith(a.finding().toString()) ? a.detail() : a.finding() + ": " + a.detail();
    }

    void toJson(ArrayNode target) {
        answers.forEach(a -> target.addObject()
                .put("function", a.function())
                .put("finding", a.finding().toString())
                .put("calls", a.calls())
                .put("detail", a.detail()));
    }
}

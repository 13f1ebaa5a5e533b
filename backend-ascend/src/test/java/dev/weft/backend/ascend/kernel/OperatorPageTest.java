package dev.weft.backend.ascend.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.backend.ascend.abi.AbiFunction;
import dev.weft.backend.ascend.abi.AbiTable;
import dev.weft.conformance.ModelSize;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.op.OpInstance;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/ascend-operators.md} says what the code does. {@code -Dweft.docs.write=true} writes the page instead of
 * comparing it.
 */
class OperatorPageTest {
    private static final Path PAGE = Path.of("../docs/ascend-operators.md");
    private static final List<Profile> PRODUCTS = List.of(Profile.DT950, Profile.PR950, Profile.A3, Profile.A2);

    private final AbiTable table = AbiTable.load();

    @Test
    void thePageSaysWhatTheCodeDoes() throws IOException {
        String page = page();
        if (Boolean.getBoolean("weft.docs.write")) {
            Files.writeString(PAGE, page);
        }
        assertThat(PAGE).hasContent(page);
    }

    /** Cases by operator: the conformance suite's and the model's sizes. */
    private static Map<String, List<OpInstance>> instances() {
        Map<String, List<OpInstance>> all = new LinkedHashMap<>();
        Stream.concat(OpCases.all().stream(), ModelSize.cases())
                .map(OpCase::instance)
                .forEach(op -> all.computeIfAbsent(op.op().name(), name -> new ArrayList<>())
                        .add(op));
        return all;
    }

    private String page() {
        StringBuilder page = new StringBuilder("""
                # Operators on Ascend

                Which functions of CANN serve which operator of Weft, on which product. A test compares this page with the
                code. `weft devices --verbose` says which of the functions the installation at hand has, and why the others
                are not used. Nothing here was run on hardware by the authors: see [Ascend](ascend.md).

                ## Ways

                In order of preference; the first one that takes the instance, whose functions are bound and which the
                installed operators accept, is used. `ascend:0/composite` uses the composites only. `int8` deviates from the
                checkpoint's numbers and is used by `ascend:0/int8` only. Over ranks the runtime
                runs the collectives (from `allReduce` on) itself, through host memory; those with none are in no graph of
                one device.

                | operator | 950DT | 950PR | A3 | A2 |
                |---|---|---|---|---|
                """);
        Map<String, Set<String>> users = new TreeMap<>();
        instances().forEach((name, instances) -> {
            page.append("| `").append(name).append("` |");
            for (Profile product : PRODUCTS) {
                page.append(' ').append(ways(name, instances, product, users)).append(" |");
            }
            page.append('\n');
        });
        page.append("""

                ## Functions

                `since` is the first version known to have the signature that Weft calls; `evidence` says in how many places
                the signature was found. An installed header that differs makes Weft refuse the function.

                | function | library | since | evidence | operators |
                |---|---|---|---|---|
                """);
        users.forEach((function, operators) -> {
            AbiFunction f = table.function(function + "GetWorkspaceSize");
            page.append("| `%s` | %s | %s | %s | %s |\n"
                    .formatted(
                            function,
                            f.libraries().getFirst(),
                            f.since(),
                            f.confidence(),
                            String.join(", ", operators)));
        });
        return page.toString();
    }

    private static String ways(
            String name, List<OpInstance> instances, Profile product, Map<String, Set<String>> users) {
        Set<String> ways = new LinkedHashSet<>();
        for (Candidate c : AscendOps.candidates(instances.getFirst().op())) {
            for (OpInstance op : instances) {
                if (c.refuse(op, product).isEmpty()) {
                    ways.add(c.name().startsWith("aclnn") ? "`" + c.name() + "`" : c.name());
                    c.functions(op)
                            .forEach(f -> users.computeIfAbsent(f, function -> new TreeSet<>())
                                    .add(name));
                }
            }
        }
        return ways.isEmpty() ? "none" : String.join(", ", ways);
    }
}

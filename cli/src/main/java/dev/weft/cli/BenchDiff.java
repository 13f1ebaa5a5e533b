package dev.weft.cli;

import dev.weft.bench.SpeedRatio;
import dev.weft.bench.SpeedRatio.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.IntNode;

/**
 * Two runs of benchmarks, row by row.
 *
 * @param pairs rows that both have
 * @param onlyFirst rows that only the first has
 * @param onlySecond rows that only the second has
 * @param warnings settings that differ, as in {@code hardware: X, then Y}
 */
record BenchDiff(List<Pair> pairs, List<String> onlyFirst, List<String> onlySecond, List<String> warnings) {
    /** Fields that say which row it is: rows with equal ones are held against each other. */
    private static final List<String> IDENTITY = List.of(
            "work",
            "device",
            "threads",
            "numerics",
            "op",
            "kind",
            "weights",
            "activations",
            "m",
            "k",
            "n",
            "copies",
            "tokens",
            "context",
            "prompt",
            "generate",
            "depth",
            "batch");

    /** Fields that ought to be equal, or explain a difference. */
    private static final List<String> SETTINGS = List.of(
            "model",
            "hardware",
            "tier",
            "level",
            "kernel",
            "weft",
            "java",
            "system",
            "rounds",
            "warmUp",
            "seed",
            "bytes",
            "flops");

    /**
     * A row of both.
     *
     * @param name what tells it from the others
     * @param before median seconds of the first
     * @param after median seconds of the second
     * @param ratio empty if one has fewer than two rounds
     */
    record Pair(String name, double before, double after, Optional<SpeedRatio> ratio) {
        String verdict() {
            return ratio.map(r -> switch (r.verdict()) {
                        case FASTER -> "faster";
                        case SLOWER -> "slower";
                        case SAME -> "no difference seen";
                    })
                    .orElse("too few rounds");
        }
    }

    /** A document of a run. @throws UsageException if it is absent or none */
    static JsonNode read(Path file) throws IOException {
        try {
            JsonNode root = new JsonMapper().readTree(Files.readAllBytes(file));
            if (!root.path("results").isArray()) {
                throw new UsageException(
                        file + ": found no results, expected what weft bench --output FILE.json writes");
            }
            for (JsonNode result : root.path("results")) {
                JsonNode samples = result.path("seconds").path("samples");
                if (!samples.isArray()
                        || samples.isEmpty()
                        || !StreamSupport.stream(samples.spliterator(), false)
                                .allMatch(s -> s.isNumber() && s.doubleValue() > 0)) {
                    throw new UsageException(file + ": " + result.path("work").asString("a result")
                            + ": found no seconds.samples, or one that is no positive number; measure again with this"
                            + " version");
                }
            }
            return root;
        } catch (NoSuchFileException e) {
            throw new UsageException(file + ": no such file, expected the JSON of a run", e);
        } catch (JacksonException e) {
            throw new UsageException(file + ": not JSON: " + e.getOriginalMessage(), e);
        }
    }

    static BenchDiff of(JsonNode first, JsonNode second, double confidence) {
        if (!first.path("benchmark").equals(second.path("benchmark"))) {
            throw new UsageException("diff: found benchmarks " + first.path("benchmark") + " and "
                    + second.path("benchmark") + ", expected the same form of bench twice");
        }
        Map<Map<String, JsonNode>, JsonNode> a = rows(first);
        Map<Map<String, JsonNode>, JsonNode> b = rows(second);
        List<Pair> pairs = new ArrayList<>();
        List<String> warnings = new ArrayList<>();
        List<String> varying = varying(a, b);
        a.forEach((key, before) -> {
            JsonNode after = b.get(key);
            if (after != null) {
                pairs.add(pair(name(key, varying), before, after, confidence));
                SETTINGS.stream()
                        .filter(s -> !field(first, before, s).equals(field(second, after, s)))
                        .map(s -> s + ": " + text(field(first, before, s)) + ", then " + text(field(second, after, s)))
                        .forEach(warnings::add);
            }
        });
        return new BenchDiff(
                pairs,
                a.keySet().stream()
                        .filter(k -> !b.containsKey(k))
                        .map(k -> name(k, varying))
                        .toList(),
                b.keySet().stream()
                        .filter(k -> !a.containsKey(k))
                        .map(k -> name(k, varying))
                        .toList(),
                warnings.stream().distinct().toList());
    }

    private static Map<Map<String, JsonNode>, JsonNode> rows(JsonNode document) {
        Map<Map<String, JsonNode>, JsonNode> rows = new LinkedHashMap<>();
        for (JsonNode result : document.path("results")) {
            Map<String, JsonNode> key = new LinkedHashMap<>();
            for (String name : IDENTITY) {
                JsonNode value = field(document, result, name);
                if (value.isValueNode()) {
                    key.put(name, value);
                }
            }
            // equal parts of a layer, in their order
            for (int i = 2; rows.containsKey(key); i++) {
                key.put("occurrence", IntNode.valueOf(i));
            }
            rows.put(key, result);
        }
        return rows;
    }

    /** What a result says, else what the document says of all. */
    static JsonNode field(JsonNode document, JsonNode result, String name) {
        return result.has(name) ? result.path(name) : document.path(name);
    }

    /** Fields of the identity that tell rows apart; the others need not be shown. */
    private static List<String> varying(
            Map<Map<String, JsonNode>, JsonNode> a, Map<Map<String, JsonNode>, JsonNode> b) {
        return Stream.of("device", "threads", "numerics", "m", "k", "n", "context", "batch", "occurrence")
                .filter(f -> Stream.concat(a.keySet().stream(), b.keySet().stream())
                                .map(k -> String.valueOf(k.get(f)))
                                .distinct()
                                .count()
                        > 1)
                .toList();
    }

    private static String name(Map<String, JsonNode> key, List<String> varying) {
        String more = varying.stream()
                .filter(key::containsKey)
                .map(f -> ", " + f + " " + text(key.get(f)))
                .collect(Collectors.joining());
        return text(key.get("work")) + more;
    }

    private static String text(JsonNode value) {
        return value == null || value.isMissingNode() ? "none" : value.asString();
    }

    private static Pair pair(String name, JsonNode before, JsonNode after, double confidence) {
        double[] a = samples(before);
        double[] b = samples(after);
        return new Pair(
                name,
                before.path("seconds").path("median").asDouble(),
                after.path("seconds").path("median").asDouble(),
                a.length < 2 || b.length < 2 ? Optional.empty() : Optional.of(SpeedRatio.of(a, b, confidence)));
    }

    private static double[] samples(JsonNode result) {
        return StreamSupport.stream(result.path("seconds").path("samples").spliterator(), false)
                .mapToDouble(JsonNode::asDouble)
                .toArray();
    }

    /** Whether any work could be judged: it is in both, measured more than once. */
    boolean hasVerdict() {
        return pairs.stream().anyMatch(p -> p.ratio().isPresent());
    }

    /** Whether a row is slower, beyond chance, by more than so many percent. */
    boolean slowerThan(double percent) {
        return pairs.stream()
                .flatMap(p -> p.ratio().stream())
                .anyMatch(r -> r.verdict() == Verdict.SLOWER && r.slowdownPercent() > percent);
    }
}

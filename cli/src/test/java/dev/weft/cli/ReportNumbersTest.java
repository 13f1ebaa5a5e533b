package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Every number in the tables and drawings of a report is the JSON's, rounded as it is written. */
class ReportNumbersTest {
    private static final Pattern TABLE = Pattern.compile("<table>(.*?)</table>", Pattern.DOTALL);
    private static final Pattern ROW = Pattern.compile("<tr>(.*?)</tr>");
    private static final Pattern CELL = Pattern.compile("<t[hd] class=\"[^\"]*\">(.*?)</t[hd]>");
    private static final Pattern FIGURE =
            Pattern.compile("<figcaption>([^<,]+), ([^<,]+)</figcaption>(.*?)</figure>", Pattern.DOTALL);
    private static final Pattern MARK = Pattern.compile(
            "<circle [^>]*><title>(\\S+): (\\S+) ms, (\\S+) FLOP/byte, (\\S+) GFLOP/s, (\\S+) of the roof</title>");

    private static final Pattern HINT = Pattern.compile(
            "<rect [^>]*><title>(\\S+): (\\S+), (\\S+) of the tolerance, nmse (\\S+), max \\|diff\\| (\\S+)</title>");
    private static final Pattern BARS = Pattern.compile(
            "<figcaption>([^<,]+), sum of the medians of the nodes</figcaption>(.*?)</figure>", Pattern.DOTALL);
    private static final Pattern WORDS = Pattern.compile("<text [^>]*text-anchor=\"(end|start)\"[^>]*>([^<]*)</text>");
    private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\..*");

    private final String[] sections =
            new CompareHtml(ComparedMicro.sheet()).page().split("<h2>");
    private final JsonNode modes = CompareJson.of(ComparedMicro.sheet()).path("modes");
    private int compared;

    @Test
    void ofTablesAndMarksAreThoseOfTheJson() {
        for (int m = 0; m < modes.size(); m++) {
            JsonNode mode = modes.path(m);
            int before = compared;
            rows(sections[m + 1]).forEach(row -> row(mode, row));
            assertThat(compared - before).as("numbers in tables").isGreaterThan(100);
            int marks = marks(mode, sections[m + 1]);
            long computing =
                    nodes(mode).filter(n -> n.path("flops").asDouble() > 0).count();
            assertThat(marks).isPositive().isEqualTo((int) computing);
        }
    }

    /** Every cell of a heat map says what its node came to. */
    @Test
    void ofHintsAreThoseOfTheJson() {
        for (int m = 0; m < modes.size(); m++) {
            JsonNode mode = modes.path(m);
            int hints = 0;
            for (MatchResult figure : FIGURE.matcher(sections[m + 1]).results().toList()) {
                for (MatchResult hint : HINT.matcher(figure.group(3)).results().toList()) {
                    JsonNode json = result(node(mode, figure.group(2), hint.group(1)), figure.group(1));
                    assertThat(hint.group(2)).isEqualTo(json.path("kernel").asString());
                    check(hint.group(), hint.group(3), json.path("ofTolerance").asDouble());
                    check(hint.group(), hint.group(4), json.path("nmse").asDouble());
                    check(
                            hint.group(),
                            hint.group(5),
                            json.path("largest").path("amount").asDouble());
                    hints++;
                }
            }
            long right = nodes(mode)
                    .flatMap(n -> StreamSupport.stream(n.path("results").spliterator(), false))
                    .filter(r -> r.path("device").asString().equals(ComparedMicro.VECTOR.toString()))
                    .filter(r -> r.has("ofTolerance"))
                    .count();
            assertThat(hints).isPositive().isEqualTo((int) right);
        }
    }

    /** A bar is as long as the nodes of its layer took together. */
    @Test
    void ofBarsAreSumsOfThoseOfTheJson() {
        for (int m = 0; m < modes.size(); m++) {
            JsonNode mode = modes.path(m);
            List<MatchResult> figures = BARS.matcher(sections[m + 1]).results().toList();
            assertThat(figures).isNotEmpty();
            for (MatchResult figure : figures) {
                Map<String, double[]> sums = sums(mode, figure.group(1));
                List<MatchResult> words =
                        WORDS.matcher(figure.group(2)).results().toList();
                int at = 0;
                for (Map.Entry<String, double[]> part : sums.entrySet()) {
                    assertThat(words.get(at++).group(2)).isEqualTo(part.getKey());
                    for (double seconds : part.getValue()) {
                        String millis = words.get(at++).group(2);
                        check(part.getKey(), millis.replace(" ms", ""), seconds * 1e3);
                    }
                }
                assertThat(at).isEqualTo(words.size());
            }
        }
    }

    /** By part of the model the seconds of its nodes in a step, one sum per device that was timed. */
    private static Map<String, double[]> sums(JsonNode mode, String step) {
        Map<String, double[]> sums = new LinkedHashMap<>();
        String outside = "embedding";
        for (JsonNode node :
                nodes(mode).filter(n -> n.path("step").asString().equals(step)).toList()) {
            MatchResult layer = LAYER.matcher(node.path("node").asString())
                    .results()
                    .findFirst()
                    .orElse(null);
            outside = layer == null ? outside : "head";
            double[] seconds = StreamSupport.stream(node.path("results").spliterator(), false)
                    .filter(r -> r.has("seconds"))
                    .mapToDouble(r -> r.path("seconds").path("median").asDouble())
                    .toArray();
            double[] sum = sums.computeIfAbsent(
                    layer == null ? outside : "layer " + layer.group(1), p -> new double[seconds.length]);
            for (int i = 0; i < seconds.length; i++) {
                sum[i] += seconds[i];
            }
        }
        return sums;
    }

    private static List<Map<String, String>> rows(String section) {
        List<Map<String, String>> all = new ArrayList<>();
        for (String table : groups(TABLE, section)) {
            List<String> rows = groups(ROW, table);
            List<String> heads = groups(CELL, rows.getFirst());
            for (String row : rows.subList(1, rows.size())) {
                List<String> cells = groups(CELL, row);
                assertThat(cells).hasSameSizeAs(heads);
                Map<String, String> named = new LinkedHashMap<>();
                for (int i = 0; i < heads.size(); i++) {
                    named.put(heads.get(i), cells.get(i));
                }
                all.add(named);
            }
        }
        return all;
    }

    private static List<String> groups(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(r -> r.group(1)).toList();
    }

    private void row(JsonNode mode, Map<String, String> row) {
        String device = row.get("device");
        if (row.containsKey("nodes right")
                && !device.equals(mode.path("reference").path("device").asString())) {
            JsonNode json = find(mode.path("devices"), "device", device);
            check(row, "nodes right", json.path("nodes").path("right"), 1);
            check(row, "wrong", json.path("nodes").path("wrong"), 1);
            check(row, "no kernel", json.path("nodes").path("unsupported"), 1);
            check(row, "logits nmse", json.path("endToEnd").path("nmse"), 1);
            check(row, "max |diff|", json.path("endToEnd").path("largest"), 1);
        } else if (row.containsKey("of tolerance")) {
            JsonNode json = result(node(mode, row.get("step"), row.get("node")), device);
            check(row, "nmse", json.path("nmse"), 1);
            check(row, "max |diff|", json.path("largest").path("amount"), 1);
            check(row, "max ulp", json.path("ulp").path("amount"), 1);
            check(row, "of tolerance", json.path("ofTolerance"), 1);
            assertThat(row.get("at")).isEqualTo(json.path("largest").path("at").asString());
            assertThat(Float.parseFloat(row.get("found")))
                    .isEqualTo((float) json.path("largest").path("found").asDouble());
        } else if (row.containsKey("median ms")) {
            timed(mode, row, device);
        }
    }

    private void timed(JsonNode mode, Map<String, String> row, String device) {
        JsonNode work;
        JsonNode times;
        if (row.containsKey("step")) {
            times = find(find(mode.path("devices"), "device", device).path("steps"), "step", row.get("step"));
            work = times;
        } else {
            String[] stepAndNode = row.get("node").split(" ", 2);
            work = node(mode, stepAndNode[0], stepAndNode[1]);
            times = result(work, device);
        }
        check(row, "median ms", times.path("seconds").path("median"), 1e3);
        check(row, "p10 ms", times.path("seconds").path("p10"), 1e3);
        check(row, "p90 ms", times.path("seconds").path("p90"), 1e3);
        check(row, "GFLOP", work.path("flops"), 1e-9);
        check(row, "MB", work.path("bytes"), 1e-6);
        check(row, "of limit", times.path("ofLimit").path("share"), 1);
    }

    private int marks(JsonNode mode, String section) {
        int marks = 0;
        for (MatchResult figure : FIGURE.matcher(section).results().toList()) {
            for (MatchResult mark : MARK.matcher(figure.group(3)).results().toList()) {
                JsonNode node = node(mode, figure.group(2), mark.group(1));
                JsonNode times = result(node, figure.group(1));
                check(
                        mark.group(),
                        mark.group(2),
                        times.path("seconds").path("median").asDouble() * 1e3);
                double intensity =
                        node.path("flops").asDouble() / node.path("bytes").asDouble();
                assertThat(Double.parseDouble(mark.group(3))).isCloseTo(intensity, within(0.01 * intensity + 1e-3));
                check(mark.group(), mark.group(4), times.path("flopsPerSecond").asDouble() / 1e9);
                check(
                        mark.group(),
                        mark.group(5),
                        times.path("ofLimit").path("share").asDouble());
                marks++;
            }
        }
        return marks;
    }

    private void check(Map<String, String> row, String column, JsonNode number, double scale) {
        String written = row.get(column);
        if (written.equals("-")) {
            assertThat(number.isMissingNode() || number.isNull())
                    .as(row + ": " + column)
                    .isTrue();
        } else {
            assertThat(number.isNumber())
                    .as(row + ": " + column + " is " + number)
                    .isTrue();
            check(row + ": " + column, written, number.asDouble() * scale);
        }
    }

    /** Half of the last digit that is written may be lost. */
    private void check(String where, String written, double number) {
        BigDecimal value = new BigDecimal(written);
        double half = value.ulp().doubleValue() * 0.5001;
        assertThat(Math.abs(value.doubleValue() - number))
                .as(where + " is " + number)
                .isLessThanOrEqualTo(half);
        compared++;
    }

    private static Stream<JsonNode> nodes(JsonNode mode) {
        return StreamSupport.stream(mode.path("nodes").spliterator(), false);
    }

    private static JsonNode node(JsonNode mode, String step, String label) {
        return nodes(mode)
                .filter(n -> n.path("step").asString().equals(step))
                .filter(n -> n.path("node").asString().equals(label))
                .findFirst()
                .orElseThrow(() -> new AssertionError(step + " " + label));
    }

    private static JsonNode result(JsonNode node, String device) {
        return find(node.path("results"), "device", device);
    }

    private static JsonNode find(JsonNode list, String key, String value) {
        return StreamSupport.stream(list.spliterator(), false)
                .filter(n -> n.path(key).asString().equals(value))
                .findFirst()
                .orElseThrow(() -> new AssertionError(key + " " + value + " in " + list));
    }
}

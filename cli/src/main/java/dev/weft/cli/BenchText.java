package dev.weft.cli;

import dev.weft.arrow.ArrowTable;
import dev.weft.spi.HardwareLimit;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Results for people. */
final class BenchText {
    private static final List<Shown> SHOWN = List.of(
            Shown.text("work"),
            Shown.text("device"),
            Shown.text("threads"),
            Shown.text("numerics"),
            Shown.text("batch"),
            Shown.text("tokens"),
            Shown.text("m"),
            new Shown("t/s", r -> plusMinus(r, "rate.mean", "rate.deviation")),
            Shown.number("median t/s", "tokensPerSecond", 1, "%.2f"),
            Shown.number("least t/s", "rate.least", 1, "%.2f"),
            Shown.number("MB", "bytes", 1e-6, "%.2f"),
            Shown.some("MFLOP", "flops", 1e-6, "%.1f"),
            Shown.number("p10 ms", "seconds.p10", 1e3, "%.4f"),
            Shown.number("median ms", "seconds.median", 1e3, "%.4f"),
            Shown.number("least rank", "ofRanks.least", 1e3, "%.4f"),
            Shown.number("most", "ofRanks.most", 1e3, "%.4f"),
            Shown.number("bare ms", "peer.median", 1e3, "%.4f"),
            Shown.number("of bare", "ofPeer", 1, "%.3f"),
            Shown.number("its p10", "ofPeerP10", 1, "%.3f"),
            Shown.number("Java us", "javaSeconds", 1e6, "%.1f"),
            Shown.number("in group", "groupJavaSeconds", 1e6, "%.1f"),
            Shown.number("GB/s", "gbps", 1, "%.1f"),
            Shown.some("GF/s", "gflops", 1, "%.1f"),
            new Shown("limit", r -> r.get("peer.name") == null ? limit(r) : ""),
            Shown.number("ofLimit", "ofLimit", 1, "%.3f"),
            Shown.number("p10", "ofLimitP10", 1, "%.3f"),
            Shown.number("of floors", "timesFloor", 1, "%.2f"),
            Shown.number("host us", "hostSeconds", 1e6, "%.1f"),
            Shown.text("launches"));

    private final JsonNode document;
    private final List<Map<String, @Nullable Object>> rows;
    private final List<Shown> shown;

    /** A column for people. @param cell its text, empty if the row has nothing to say */
    private record Shown(String head, Function<Map<String, @Nullable Object>, String> cell) {
        static Shown text(String field) {
            return new Shown(field, row -> Objects.toString(row.get(field), ""));
        }

        /** A number that many rows do not have, and others have as zero. */
        static Shown some(String head, String field, double scale, String format) {
            Shown number = number(head, field, scale, format);
            return new Shown(
                    head,
                    row -> row.get(field) instanceof Number n && n.doubleValue() != 0
                            ? number.cell().apply(row)
                            : "");
        }

        static Shown number(String head, String field, double scale, String format) {
            return new Shown(
                    head,
                    row -> row.get(field) instanceof Number n
                            ? String.format(Locale.ROOT, format, n.doubleValue() * scale)
                            : "");
        }
    }

    BenchText(JsonNode document, ArrowTable table) {
        this.document = document;
        this.rows = table.rows();
        this.shown = SHOWN.stream()
                .filter(s -> rows.stream().anyMatch(r -> !s.cell().apply(r).isEmpty()))
                .toList();
    }

    void table(PrintStream out) {
        Terminal terminal = new Terminal(out, out, false);
        head().forEach(line -> terminal.printf("%s%n", line));
        terminal.printf("%n");
        TextTable table = new TextTable(false, heads()).omitIfConstant("device", "threads", "numerics", "batch", "tokens", "m");
        rows.forEach(row -> table.add(cells(row)));
        table.print(terminal);
    }

    void markdown(PrintStream out) {
        head().forEach(line -> out.println("- " + line));
        out.println();
        out.println("| " + String.join(" | ", heads()) + " |");
        out.println("|---|" + "---:|".repeat(shown.size() - 1));
        rows.forEach(row -> out.println("| " + String.join(" | ", cells(row)).replace("\n", " ") + " |"));
    }

    private String[] heads() {
        return shown.stream().map(Shown::head).toArray(String[]::new);
    }

    private String[] cells(Map<String, @Nullable Object> row) {
        return shown.stream().map(s -> s.cell().apply(row)).toArray(String[]::new);
    }

    private Stream<String> head() {
        Stream<String> devices = rows.stream()
                .map(r -> "%s on %s (%s), tier %s, level %s, %s threads"
                        .formatted(
                                r.get("benchmark"),
                                r.get("device"),
                                r.get("hardware"),
                                r.get("tier"),
                                r.get("level"),
                                r.get("threads")))
                .distinct();
        Stream<String> limits = rows.stream()
                .map(r -> r.get("peer.name") != null
                        ? "%s ranks, against %s of %s between the rounds"
                                .formatted(r.get("ranks"), r.get("peer.name"), r.get("transport"))
                        : r.get("limit.measuredBy") == null
                                ? "limits: none, the device measures no ceiling"
                                : "limits measured by " + r.get("limit.measuredBy") + " between the rounds")
                .distinct();
        String run = "Java %s, weft %s, %s rounds, seed %s, %s"
                .formatted(
                        document.path("java").asString(),
                        document.path("weft").asString(),
                        document.path("rounds").asString(),
                        document.path("seed").asString(),
                        document.path("date").asString());
        return Stream.of(devices, Stream.of(run, document.path("command").asString()), memory(), limits)
                .flatMap(s -> s);
    }

    /** As in {@code weights of each of 2 ranks: experts 1.6 GiB of 3.2 GiB, others 0.2 GiB of 0.2 GiB}. */
    private Stream<String> memory() {
        if (document.has("rankWeightBytes")) {
            return Stream.of("weights of each of %s ranks: %s"
                    .formatted(
                            document.path("ranks").asString(),
                            document.path("rankWeightBytes")
                                    .valueStream()
                                    .map(b -> Units.bytes(b.asLong()))
                                    .collect(Collectors.joining(", "))));
        }
        JsonNode memory = document.path("memory");
        if (memory.isMissingNode() || document.path("ranks").isMissingNode()) {
            return Stream.empty();
        }
        return Stream.of("weights of each of %s ranks: experts %s of %s, others %s of %s"
                .formatted(
                        document.path("ranks").asString(),
                        Units.bytes(memory.path("experts").asLong()),
                        Units.bytes(memory.path("expertsAlone").asLong()),
                        Units.bytes(memory.path("others").asLong()),
                        Units.bytes(memory.path("othersAlone").asLong())));
    }

    private static String plusMinus(Map<String, @Nullable Object> row, String mean, String deviation) {
        return row.get(mean) instanceof Double m && row.get(deviation) instanceof Double d
                ? String.format(Locale.ROOT, "%.2f ± %.2f", m, d)
                : "";
    }

    /** As in {@code memory read 54.1 GB/s}. */
    private static String limit(Map<String, @Nullable Object> row) {
        if (!(row.get("limit.value") instanceof Double value)) {
            return "none";
        }
        String key = Objects.toString(row.get("limit.kind"));
        HardwareLimit kind = Stream.of(HardwareLimit.values())
                .filter(k -> k.key().equals(key))
                .findFirst()
                .orElseThrow();
        return String.format(
                Locale.ROOT, "%s %.1f %s", kind.title(), value / 1e9, kind == HardwareLimit.READ ? "GB/s" : "GF/s");
    }
}

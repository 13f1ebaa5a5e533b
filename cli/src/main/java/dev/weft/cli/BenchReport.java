package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.runtime.Device;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Results of benchmarks for people and programs. The JSON fields are described in {@code docs/benchmarks.md} and stay as
 * they are.
 */
final class BenchReport {
    private final String benchmark;
    private final Device device;
    private final BenchOptions options;
    private final ObjectNode settings;
    private final List<Row> rows = new ArrayList<>();

    /** A result, and what else is to be told about it. */
    private record Row(Result result, ObjectNode details) {}

    /** @param settings fields that describe what was asked for; they stand before the results */
    BenchReport(String benchmark, Device device, BenchOptions options, ObjectNode settings) {
        this.benchmark = benchmark;
        this.device = device;
        this.options = options;
        this.settings = settings;
    }

    /** Adds a result. @param details further fields of its JSON object */
    BenchReport add(Result result, ObjectNode details) {
        rows.add(new Row(result, details));
        return this;
    }

    /** Prints in the form asked for. */
    void print(Terminal terminal) {
        if (options.json()) {
            Json.print(terminal, toJson());
        } else {
            table(terminal);
        }
    }

    private void table(Terminal terminal) {
        terminal.printf(
                "%s on %s (%s), tier %s%n",
                benchmark,
                device.id(),
                device.info().description(),
                device.info().tier());
        terminal.printf(
                "Java %s, weft %s, %d rounds%n",
                javaVersion(), Version.text(), options.rounds().count());
        rows.getFirst()
                .result()
                .limit()
                .ifPresentOrElse(
                        l -> terminal.printf("limits measured by %s between the rounds%n", l.measuredBy()),
                        () -> terminal.printf("limits: none, the device measures no ceiling%n"));
        int width =
                rows.stream().mapToInt(r -> r.result().name().length()).max().orElse(4);
        String name = "%-" + Math.max(4, width) + "s";
        terminal.printf(
                "%n" + name + " %10s %10s %10s %10s %8s %8s  %-26s %7s %7s%n",
                "work",
                "MB",
                "MFLOP",
                "p10 ms",
                "median ms",
                "GB/s",
                "GF/s",
                "limit",
                "ofLimit",
                "p10");
        for (Row row : rows) {
            Result r = row.result();
            terminal.printf(
                    name + " %10.2f %10.1f %10.4f %10.4f %8.1f %8.1f  %-26s %7s %7s%n",
                    r.name(),
                    r.work().bytes() / 1e6,
                    r.work().flops() / 1e6,
                    r.secondsP10() * 1e3,
                    r.secondsMedian() * 1e3,
                    r.bytesPerSecond() / 1e9,
                    r.flopsPerSecond() / 1e9,
                    r.limit().map(BenchReport::text).orElse("none"),
                    share(r.limit().map(Result.Limit::share)),
                    share(r.limit().map(Result.Limit::shareP10)));
        }
        for (Row row : rows) {
            if (row.details().has("tokensPerSecond")) {
                double rate = row.details().get("tokensPerSecond").asDouble();
                terminal.printf("%s: %.1f tokens/s%n", row.result().name(), rate);
            }
        }
    }

    /** As in {@code memory read 54.1 GB/s}. */
    private static String text(Result.Limit limit) {
        String unit = limit.kind() == HardwareLimit.READ ? "GB/s" : "GF/s";
        return String.format("%s %.1f %s", limit.kind().title(), limit.value() / 1e9, unit);
    }

    private static String share(Optional<Double> share) {
        return share.map(s -> String.format("%.3f", s)).orElse("-");
    }

    private ObjectNode toJson() {
        ObjectNode root = Json.object();
        root.put("benchmark", benchmark);
        root.put("weft", Version.text());
        root.put("java", javaVersion());
        root.put("system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        root.put("device", device.id().toString());
        root.put("hardware", device.info().description());
        root.put("tier", device.info().tier());
        root.put("level", device.level());
        root.put("threads", device.threads());
        root.put("rounds", options.rounds().count());
        root.put("seed", options.seed());
        root.setAll(settings);
        ArrayNode results = root.putArray("results");
        for (Row row : rows) {
            result(row, results.addObject());
        }
        return root;
    }

    private static void result(Row row, ObjectNode to) {
        Result r = row.result();
        to.put("work", r.name());
        to.setAll(row.details());
        to.put("bytes", (long) r.work().bytes());
        to.put("flops", (long) r.work().flops());
        to.putObject("seconds").put("p10", r.secondsP10()).put("median", r.secondsMedian());
        to.put("gbps", r.bytesPerSecond() / 1e9);
        to.put("gflops", r.flopsPerSecond() / 1e9);
        r.limit().ifPresentOrElse(l -> limit(l, to), () -> to.putNull("limit").putNull("ofLimit"));
    }

    private static void limit(Result.Limit limit, ObjectNode to) {
        to.putObject("limit")
                .put("kind", limit.kind().key())
                .put("value", limit.value())
                .put("unit", limit.kind().unit())
                .put("measuredBy", limit.measuredBy());
        to.put("ofLimit", limit.share());
        to.put("ofLimitP10", limit.shareP10());
    }

    private static String javaVersion() {
        return System.getProperty("java.runtime.version", "unknown");
    }
}

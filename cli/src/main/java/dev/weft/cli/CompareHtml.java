package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.bench.Roof;
import dev.weft.bench.StepBench;
import dev.weft.graph.Node;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.ModeReport;
import dev.weft.verify.NodeOutcome;
import dev.weft.verify.NodeReport;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** A comparison as one HTML page that needs nothing else: no scripts, fonts or files from elsewhere. */
final class CompareHtml {
    private static final int WORST = 5;
    private static final int SLOWEST = 8;

    /** A cell with more letters may be broken anywhere. */
    private static final int LONG = 28;

    private final CompareSheet sheet;
    private final StringBuilder out = new StringBuilder();

    CompareHtml(CompareSheet sheet) {
        this.sheet = sheet;
    }

    /** The whole page. */
    String page() {
        add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        add("<title>Weft compare: %s</title>\n<style>\n", name());
        out.append(style());
        add("</style>\n</head>\n<body>\n");
        head();
        sheet.modes().forEach(this::mode);
        notes();
        add("</body>\n</html>\n");
        return out.toString();
    }

    private void head() {
        add("<h1>Devices compared on %s</h1>\n", name());
        add(
                "<p class=\"verdict %s\">%s</p>\n",
                sheet.passed() ? "good" : "bad",
                sheet.passed()
                        ? "Every node is within its tolerance on every device"
                        : "Not every device passes; see below");
        add("<dl class=\"facts\">\n");
        fact("command", sheet.command());
        if (sheet.isModel()) {
            fact("model", sheet.model());
            fact("tokens", sheet.prefill() + " in the prompt, " + sheet.decode() + " decoded one by one after it");
            fact("seed", sheet.seed() < 0 ? "none, the tokens were given" : Long.toString(sheet.seed()));
        } else {
            fact("operator", sheet.model());
            fact("operands", "those of the conformance suite");
        }
        fact("weft", Version.text());
        fact("java", System.getProperty("java.runtime.version", "unknown"));
        fact("system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        add("</dl>\n");
    }

    private String name() {
        if (!sheet.isModel()) {
            return "operator " + sheet.model();
        }
        Path file = Path.of(sheet.model()).toAbsolutePath().normalize().getFileName();
        return file == null ? sheet.model() : file.toString();
    }

    private void fact(String name, String value) {
        add("<dt>%s</dt><dd>%s</dd>\n", name, value);
    }

    private void mode(ModeReport mode) {
        String title = CompareSheet.title(mode);
        add(
                "<h2>%s, against %s</h2>\n",
                title.substring(0, 1).toUpperCase(Locale.ROOT) + title.substring(1),
                mode.reference().id());
        devices(mode);
        for (DeviceRun run : mode.devices()) {
            mode.firstWrong(run.id())
                    .ifPresent(n -> add(
                            "<p class=\"bad reason\"><b>%s</b>: first wrong node <code>%s</code> in %s: %s</p>\n",
                            run.id(),
                            n.node().label(),
                            n.step(),
                            CompareSheet.complaint(n.outcomes().get(run.id()))));
            run.problem()
                    .ifPresent(p -> add(
                            "<p class=\"bad reason\"><b>%s</b> did not run the whole graph: %s</p>\n", run.id(), p));
        }
        heatMaps(mode);
        worst(mode);
        List<DeviceRun> timed =
                mode.devices().stream().filter(d -> !d.times().isEmpty()).toList();
        if (!timed.isEmpty()) {
            times(mode, timed);
        }
        placement(mode);
    }

    private void devices(ModeReport mode) {
        table(
                "device",
                "hardware",
                "tier",
                "#nodes right",
                "#wrong",
                "#no kernel",
                sheet.isModel() ? "#logits nmse" : "#outputs nmse",
                "#max |diff|",
                "#same argmax");
        row(mode, mode.reference());
        mode.devices().forEach(d -> row(mode, d));
        endTable();
    }

    private void row(ModeReport mode, DeviceRun run) {
        boolean reference = run == mode.reference();
        cells(
                run.id().toString(),
                run.machine().map(m -> m.info().description()).orElse("absent"),
                run.machine().map(m -> m.info().tier()).orElse("-"),
                "#" + (reference ? "reference" : mode.count(run.id(), NodeOutcome::isRight)),
                "#" + (reference ? "-" : mode.count(run.id(), NodeOutcome::isWrong)),
                "#" + (reference ? "-" : mode.count(run.id(), o -> o instanceof NodeOutcome.Unsupported)),
                "#" + run.endToEnd().map(e -> CompareSheet.error(e.nmse())).orElse("-"),
                "#" + run.endToEnd().map(e -> CompareSheet.error(e.largest())).orElse("-"),
                "#" + run.endToEnd().map(CompareText::agreement).orElse("-"));
    }

    private void heatMaps(ModeReport mode) {
        add("<h3>Error of every node, as a share of its tolerance</h3>\n<p class=\"key\">");
        CompareCharts.KEY.forEach((style, meaning) -> add("<span><i class=\"%s\"></i>%s</span>", style, meaning));
        add("</p>\n<div class=\"charts\">\n");
        for (DeviceRun run : mode.devices()) {
            for (String step : mode.work().keySet()) {
                List<NodeReport> nodes = mode.nodes().stream()
                        .filter(n -> n.step().equals(step) && n.outcomes().containsKey(run.id()))
                        .toList();
                if (!nodes.isEmpty()) {
                    add("<figure><figcaption>%s, %s</figcaption>", run.id(), step);
                    out.append(CompareCharts.heatMap(nodes, run)).append("</figure>\n");
                }
            }
        }
        add("</div>\n");
    }

    private void worst(ModeReport mode) {
        add("<h3>Nodes farthest from the reference</h3>\n");
        table(
                "device",
                "step",
                "node",
                "kernel",
                "#nmse",
                "#max |diff|",
                "#at",
                "#found",
                "#expected",
                "#max ulp",
                "#of tolerance");
        for (DeviceRun run : mode.devices()) {
            for (CompareSheet.Worst w : CompareSheet.worst(mode, run.id(), WORST)) {
                var largest = w.difference().largest();
                cells(
                        run.id().toString(),
                        w.node().step(),
                        w.node().node().label(),
                        w.outcome().kernel(),
                        "#" + CompareSheet.error(w.difference().nmse()),
                        "#" + CompareSheet.error(largest.amount()),
                        "#" + largest.at(),
                        "#" + (float) largest.found(),
                        "#" + (float) largest.expected(),
                        "#" + CompareSheet.ulps(w.difference()),
                        "#" + CompareSheet.share(w.difference().share()));
            }
        }
        endTable();
    }

    private void times(ModeReport mode, List<DeviceRun> timed) {
        add("<h3>Time of a step</h3>\n");
        table("device", "step", "#median ms", "#p10 ms", "#p90 ms", "#GFLOP", "#MB", "#of limit", "limit");
        for (DeviceRun run : timed) {
            run.times().forEach((step, times) -> time(run, step, times.step()));
        }
        endTable();
        add("<h3>%s</h3>\n<p class=\"key\">", sheet.isModel() ? "Time by layer" : "Time by part");
        for (int i = 0; i < timed.size(); i++) {
            add(
                    "<span><i class=\"s%s\"></i>%s</span>",
                    i % CompareCharts.COLOURS, timed.get(i).id());
        }
        add("</p>\n<div class=\"charts\">\n");
        for (String step : mode.work().keySet()) {
            add("<figure><figcaption>%s, sum of the medians of the nodes</figcaption>", step);
            out.append(CompareCharts.bars(step, timed, mode.nodesOf(step))).append("</figure>\n");
        }
        add("</div>\n");
        rooflines(mode, timed);
        add("<h3>Slowest nodes</h3>\n");
        table("device", "node", "#median ms", "#p10 ms", "#p90 ms", "#GFLOP", "#MB", "#of limit", "limit");
        for (DeviceRun run : timed) {
            run.times()
                    .forEach((step, times) -> times.nodes().stream()
                            .sorted(Comparator.comparingDouble(Result::secondsMedian)
                                    .reversed())
                            .limit(SLOWEST / timed.size() + 1)
                            .forEach(r -> time(run, step + " " + r.name(), r)));
        }
        endTable();
    }

    private void rooflines(ModeReport mode, List<DeviceRun> timed) {
        if (timed.stream()
                .allMatch(
                        d -> d.times().values().stream().allMatch(t -> t.roof().isEmpty()))) {
            return;
        }
        add("<h3>Roofline</h3>\n<div class=\"charts\">\n");
        for (DeviceRun run : timed) {
            run.times()
                    .forEach((step, times) ->
                            times.roof().ifPresent(r -> roofline(run, step, times, r, mode.nodesOf(step))));
        }
        add("</div>\n");
    }

    private void roofline(DeviceRun run, String step, StepBench times, Roof roof, List<Node> nodes) {
        RooflineChart chart = RooflineChart.of(times, roof, nodes);
        add("<figure><figcaption>%s, %s</figcaption><p class=\"key\">", run.id(), step);
        chart.key().forEach((style, op) -> add("<span><i class=\"%s\"></i>%s</span>", style, op));
        add("</p>\n");
        out.append(chart.draw("Roofline of " + run.id() + ", " + step));
        add(
                "<p class=\"quiet small-print\">%s. %s of %s nodes compute; the others only move data.</p></figure>\n",
                chart.rates(), chart.marks(), nodes.size());
    }

    private void time(DeviceRun run, String what, Result r) {
        cells(
                run.id().toString(),
                what,
                "#" + CompareSheet.millis(r.secondsMedian()),
                "#" + CompareSheet.millis(r.secondsP10()),
                "#" + CompareSheet.millis(r.secondsP90()),
                "#" + Units.decimal(3, r.work().flops() / 1e9),
                "#" + Units.decimal(3, r.work().bytes() / 1e6),
                "#" + r.limit().map(l -> CompareSheet.share(l.share())).orElse("-"),
                r.limit()
                        .map(l -> l.kind().title() + ", measured by " + l.measuredBy())
                        .orElse("none measured"));
    }

    private void placement(ModeReport mode) {
        add("<h3>Placement</h3>\n");
        table("device", "nodes of both steps by kernel, or why there is none");
        for (DeviceRun run : mode.devices()) {
            Map<String, Integer> kernels = new LinkedHashMap<>();
            for (NodeReport n : mode.nodes()) {
                NodeOutcome outcome = n.outcomes().get(run.id());
                if (outcome != null) {
                    kernels.merge(kernel(n, outcome), 1, Integer::sum);
                }
            }
            List<String> parts = new ArrayList<>();
            kernels.forEach((kernel, count) -> parts.add(count + " x " + kernel));
            cells(run.id().toString(), parts.isEmpty() ? "absent" : String.join(", ", parts));
        }
        endTable();
    }

    private static String kernel(NodeReport n, NodeOutcome outcome) {
        return switch (outcome) {
            case NodeOutcome.Compared c -> c.kernel() + (c.note().isEmpty() ? "" : " (" + c.note() + ")");
            case NodeOutcome.Failed f -> n.node().op().name() + " failed: " + f.message();
            case NodeOutcome.Unsupported u -> "none for " + n.node().op().name() + ": " + u.reason();
        };
    }

    private void notes() {
        add("<h2>How to read this</h2>\n");
        add(
                "<p class=\"quiet\">Every node ran by itself, fed with the operands that the reference had there, so that errors"
                        + " do not pile up. Its tolerance is that of its operator's contract. Outputs, of a model its logits, are those of the whole"
                        + " graph, where errors do pile up; they have no tolerance. nmse is the squared error over the squared reference."
                        + " An ulp is the distance to the next number of the format. Tier says what made the numbers: hardware, an"
                        + " emulator, or the readable reference kernels; times are shown of hardware only. Of limit is the"
                        + " shortest time that reading and computing would take at the rates measured between the rounds, over the"
                        + " time taken; operands from a cache can lift a node above 1.</p>\n");
    }

    /** Begins a table. @param heads those of numbers begin with # */
    private void table(String... heads) {
        add("<div class=\"scroll\"><table>\n<tr>");
        for (String h : heads) {
            boolean number = h.startsWith("#");
            add("<th class=\"%s\">%s</th>", number ? "n" : "", number ? h.substring(1) : h);
        }
        add("</tr>\n");
    }

    private void cells(String... cells) {
        add("<tr>");
        for (String c : cells) {
            boolean number = c.startsWith("#");
            String style = number ? "n" : c.length() > LONG ? "w" : "";
            add("<td class=\"%s\">%s</td>", style, number ? c.substring(1) : c);
        }
        add("</tr>\n");
    }

    private void endTable() {
        add("</table></div>\n");
    }

    /** Adds HTML in which every %s is text, to be escaped. */
    private void add(String format, Object... texts) {
        int from = 0;
        for (Object text : texts) {
            int at = format.indexOf("%s", from);
            out.append(format, from, at).append(Svg.escaped(text.toString()));
            from = at + 2;
        }
        out.append(format, from, format.length());
    }

    private static String style() {
        try (InputStream in = CompareHtml.class.getResourceAsStream("compare.css")) {
            return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.graph.Node;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.NodeOutcome;
import dev.weft.verify.NodeReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Drawings of a comparison, for a page whose style sheet has their classes. */
final class CompareCharts {
    /** Series have as many colours. */
    static final int COLOURS = 6;

    /** Classes of the cells of a heat map, with what they mean. */
    static final Map<String, String> KEY = key();

    private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\..*");
    private static final int MOST_CELLS = 50;
    private static final int NAMES = 112;
    private static final int CELL = 10;
    private static final int ROW = 13;
    private static final int BAR = 11;
    private static final int BARS = 400;
    private static final int VALUES = 70;

    private CompareCharts() {}

    private static Map<String, String> key() {
        Map<String, String> key = new LinkedHashMap<>();
        key.put("same", "same bits");
        key.put("tiny", "below 0.1 % of the tolerance");
        key.put("small", "below 1 %");
        key.put("some", "below 10 %");
        key.put("near", "up to 100 %");
        key.put("over", "over the tolerance, or failed");
        key.put("none", "no kernel");
        return key;
    }

    /** Nodes of a step on a device: a row per layer, a cell per node, coloured by what of its tolerance it uses up. */
    static String heatMap(List<NodeReport> nodes, DeviceRun run) {
        List<String> parts = parts(nodes.stream().map(NodeReport::node).toList());
        Map<String, List<NodeReport>> rows = new LinkedHashMap<>();
        for (int i = 0; i < parts.size(); i++) {
            rows.computeIfAbsent(parts.get(i), p -> new ArrayList<>()).add(nodes.get(i));
        }
        int most = rows.values().stream().mapToInt(List::size).max().orElse(1);
        Svg svg = Svg.inline(NAMES + most * CELL, rows.size() * ROW, "Errors of every node on " + run.id());
        int y = 0;
        for (var row : rows.entrySet()) {
            svg.text(NAMES - 8, y + ROW - 3, "", "end", row.getKey());
            int x = NAMES;
            for (NodeReport n : row.getValue()) {
                NodeOutcome outcome = n.outcomes().get(run.id());
                String hint = n.node().label() + ": " + hint(outcome);
                svg.hinted(
                        "rect", hint, "class", colour(outcome), "x", x, "y", y, "width", CELL - 1, "height", ROW - 1);
                x += CELL;
            }
            y += ROW;
        }
        return svg.finish();
    }

    /**
     * The rows of nodes: of a model their layers, and what is before the first and behind the last; of other graphs their
     * operators, so many to a row.
     */
    static List<String> parts(List<Node> nodes) {
        boolean layered = nodes.stream().anyMatch(n -> LAYER.matcher(n.label()).matches());
        Map<String, Integer> counts = new HashMap<>();
        List<String> parts = new ArrayList<>();
        boolean behind = false;
        for (Node n : nodes) {
            Matcher layer = LAYER.matcher(n.label());
            if (layered) {
                boolean inside = layer.matches();
                behind |= inside;
                parts.add(inside ? "layer " + layer.group(1) : behind ? "head" : "embedding");
            } else {
                int row = counts.merge(n.op().name(), 1, Integer::sum) / (MOST_CELLS + 1);
                parts.add(n.op().name() + (row == 0 ? "" : " " + (row + 1)));
            }
        }
        return parts;
    }

    private static String colour(NodeOutcome outcome) {
        if (outcome instanceof NodeOutcome.Unsupported) {
            return "none";
        }
        if (!(outcome instanceof NodeOutcome.Compared c) || c.violation().isPresent()) {
            return "over";
        }
        double share = c.difference().share();
        if (c.difference().differing() == 0) {
            return "same";
        }
        return share < 1e-3 ? "tiny" : share < 1e-2 ? "small" : share < 0.1 ? "some" : "near";
    }

    private static String hint(NodeOutcome outcome) {
        return switch (outcome) {
            case NodeOutcome.Compared c
            when c.violation().isEmpty() ->
                c.kernel() + ", " + CompareSheet.share(c.difference().share()) + " of the tolerance, nmse "
                        + CompareSheet.error(c.difference().nmse()) + ", max |diff| "
                        + CompareSheet.error(c.difference().largest().amount());
            default -> CompareSheet.complaint(outcome);
        };
    }

    /** Time of every layer in a step: a bar per device. @param nodes of the step */
    static String bars(String step, List<DeviceRun> timed, List<Node> nodes) {
        Map<String, double[]> rows = new LinkedHashMap<>();
        List<String> parts = parts(nodes);
        for (int node = 0; node < parts.size(); node++) {
            double[] row = rows.computeIfAbsent(parts.get(node), p -> new double[timed.size()]);
            for (int i = 0; i < timed.size(); i++) {
                row[i] += timed.get(i)
                        .times()
                        .get(step)
                        .node(nodes.get(node).label())
                        .map(Result::secondsMedian)
                        .orElse(0.0);
            }
        }
        double longest =
                rows.values().stream().flatMapToDouble(Arrays::stream).max().orElse(1);
        int height = timed.size() * BAR + 6;
        Svg svg = Svg.inline(NAMES + BARS + VALUES, rows.size() * height, "Time of every layer, " + step);
        int y = 0;
        for (var row : rows.entrySet()) {
            svg.text(NAMES - 8, y + height / 2.0 + 1, "", "end", row.getKey());
            for (int i = 0; i < timed.size(); i++) {
                double width = Math.max(1, BARS * row.getValue()[i] / longest);
                int top = y + i * BAR;
                svg.element(
                        "rect", "class", "s" + i % COLOURS, "x", NAMES, "y", top, "width", width, "height", BAR - 1);
                svg.text(NAMES + width + 5, top + BAR - 2, "", "start", CompareSheet.millis(row.getValue()[i]) + " ms");
            }
            y += height;
        }
        return svg.finish();
    }
}

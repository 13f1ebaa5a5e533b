package dev.weft.cli;

import dev.weft.bench.Result;
import dev.weft.bench.Roof;
import dev.weft.bench.StepBench;
import dev.weft.graph.Node;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/**
 * The nodes of a step under the roof of their device: how much they compute per byte, and how fast. Both axes are
 * logarithmic. Nodes that compute nothing have no place on them. For a page whose style sheet has the classes.
 */
final class RooflineChart {
    /** Operators with a colour of their own. */
    private static final int NAMED = CompareCharts.COLOURS - 1;

    private static final int WIDTH = 580;
    private static final int HEIGHT = 330;
    private static final int LEFT = 62;
    private static final int RIGHT = 16;
    private static final int TOP = 14;
    private static final int BOTTOM = 44;
    private static final double SMALLEST = 2.5;
    private static final double LARGEST = 11;

    /** The roof goes on beyond the place where it becomes flat. */
    private static final double BEYOND_RIDGE = 4;

    private final StepBench step;
    private final Roof roof;
    private final Map<String, List<Result>> byOperator;

    private RooflineChart(StepBench step, Roof roof, Map<String, List<Result>> byOperator) {
        this.step = step;
        this.roof = roof;
        this.byOperator = byOperator;
    }

    /** A chart of a step. @param nodes of the graph, in its order */
    static RooflineChart of(StepBench step, Roof roof, List<Node> nodes) {
        Map<String, List<Result>> all = new LinkedHashMap<>();
        for (Node n : nodes) {
            step.node(n.label())
                    .filter(r -> r.work().flops() > 0)
                    .ifPresent(r -> all.computeIfAbsent(n.op().name(), o -> new ArrayList<>())
                            .add(r));
        }
        Map<String, List<Result>> slowestFirst = new LinkedHashMap<>();
        all.entrySet().stream()
                .sorted((a, b) -> Double.compare(seconds(b.getValue()), seconds(a.getValue())))
                .forEach(e -> slowestFirst.put(e.getKey(), e.getValue()));
        return new RooflineChart(step, roof, slowestFirst);
    }

    private static double seconds(List<Result> results) {
        return results.stream().mapToDouble(Result::secondsMedian).sum();
    }

    /** Operators by the class of their marks, those that take most time first. */
    Map<String, String> key() {
        Map<String, String> key = new LinkedHashMap<>();
        byOperator.keySet().forEach(op -> key.merge(style(key.size()), op, (first, more) -> "others"));
        return key;
    }

    /** Class of the marks of an operator, by its place among the slowest. */
    private static String style(int place) {
        return place < NAMED ? "s" + place : "rest";
    }

    /** How many nodes are drawn. */
    int marks() {
        return byOperator.values().stream().mapToInt(List::size).sum();
    }

    /** What the roof is made of. */
    String rates() {
        StringBuilder text = new StringBuilder("reads " + gigas(roof.read()) + " GB/s");
        roof.units()
                .forEach((unit, rate) -> text.append(", ")
                        .append(unit.title())
                        .append(' ')
                        .append(gigas(rate))
                        .append(" GFLOP/s"));
        return text.append("; measured by ").append(roof.measuredBy()).toString();
    }

    static String gigas(double perSecond) {
        return Units.decimal(1, perSecond / 1e9);
    }

    /** The drawing. @param title what it shows, for those who cannot see it */
    String draw(String title) {
        Svg svg = Svg.inline(WIDTH, HEIGHT, title);
        LogAxis across = across();
        LogAxis up = up();
        axes(svg, across, up);
        slope(svg, across, up);
        roof.units().forEach((unit, rate) -> flat(svg, across, up, rate));
        double whole = seconds(step.nodes());
        int operator = 0;
        for (List<Result> marks : byOperator.values()) {
            for (Result r : marks) {
                double radius = Math.clamp(
                        LARGEST * Math.sqrt(r.secondsMedian() / whole * byOperator.size()), SMALLEST, LARGEST);
                svg.hinted(
                        "circle",
                        hint(r),
                        "class",
                        "mark " + style(operator),
                        "cx",
                        across.at(intensity(r)),
                        "cy",
                        up.at(r.flopsPerSecond()),
                        "r",
                        radius);
            }
            operator++;
        }
        names(svg, up);
        return svg.finish();
    }

    private LogAxis across() {
        double ridge = roof.units().values().stream()
                .mapToDouble(rate -> rate / roof.read())
                .max()
                .orElse(1);
        DoubleStream places = DoubleStream.concat(results().mapToDouble(RooflineChart::intensity), DoubleStream.of(1));
        double[] sorted = DoubleStream.concat(places, DoubleStream.of(ridge * BEYOND_RIDGE))
                .sorted()
                .toArray();
        return LogAxis.around(sorted[0], sorted[sorted.length - 1], LEFT, WIDTH - RIGHT);
    }

    private LogAxis up() {
        double highest =
                roof.units().values().stream().mapToDouble(r -> r).max().orElse(roof.read());
        double[] sorted = DoubleStream.concat(
                        results().mapToDouble(Result::flopsPerSecond), DoubleStream.of(highest * 1.3))
                .sorted()
                .toArray();
        return LogAxis.around(sorted[0], sorted[sorted.length - 1], HEIGHT - BOTTOM, TOP);
    }

    private Stream<Result> results() {
        return byOperator.values().stream().flatMap(List::stream);
    }

    private static double intensity(Result r) {
        return r.work().flops() / r.work().bytes();
    }

    private static void axes(Svg svg, LogAxis across, LogAxis up) {
        for (double v : up.ticks()) {
            svg.element("line", "class", "grid", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", up.at(v), "y2", up.at(v));
            svg.text(LEFT - 6, up.at(v) + 4, "", "end", plain(v / 1e9));
        }
        for (double v : across.ticks()) {
            svg.element(
                    "line", "class", "grid", "x1", across.at(v), "x2", across.at(v), "y1", TOP, "y2", HEIGHT - BOTTOM);
            svg.text(across.at(v), HEIGHT - BOTTOM + 16, "", "middle", plain(v));
        }
        svg.text(WIDTH - RIGHT, HEIGHT - 8, "", "end", "FLOP per byte");
        svg.text(4, HEIGHT - 8, "", "start", "GFLOP/s upward");
    }

    /** A tick without the noise of its computation. */
    private static String plain(double value) {
        return new BigDecimal(value)
                .round(new MathContext(1))
                .stripTrailingZeros()
                .toPlainString();
    }

    /** As far as memory bounds: up to the fastest unit, or to the edge if none was measured. */
    private void slope(Svg svg, LogAxis across, LogAxis up) {
        double top = roof.units().values().stream().mapToDouble(r -> r).max().orElse(up.high());
        double from = Math.max(across.low(), up.low() / roof.read());
        double to = Math.min(across.high(), top / roof.read());
        if (from < to) {
            String path =
                    "M" + point(across, up, from, roof.read() * from) + "L" + point(across, up, to, roof.read() * to);
            svg.element("path", "class", "roof", "d", path);
        }
    }

    /** From where memory no longer bounds. */
    private void flat(Svg svg, LogAxis across, LogAxis up, double rate) {
        double ridge = Math.clamp(rate / roof.read(), across.low(), across.high());
        String path = "M" + point(across, up, ridge, rate) + "L" + point(across, up, across.high(), rate);
        svg.element("path", "class", "roof", "d", path);
    }

    /** The fastest unit above its line, slower ones below theirs. */
    private void names(Svg svg, LogAxis up) {
        double fastest =
                roof.units().values().stream().mapToDouble(r -> r).max().orElse(0);
        roof.units()
                .forEach((unit, rate) -> svg.text(
                        WIDTH - RIGHT - 4, up.at(rate) + (rate == fastest ? -5 : 14), "halo", "end", unit.title()));
    }

    private static String point(LogAxis across, LogAxis up, double x, double y) {
        return Svg.number(across.at(x)) + " " + Svg.number(up.at(y));
    }

    private static String hint(Result r) {
        return r.name() + ": " + CompareSheet.millis(r.secondsMedian()) + " ms, " + Units.decimal(3, intensity(r))
                + " FLOP/byte, " + Units.decimal(3, r.flopsPerSecond() / 1e9) + " GFLOP/s, "
                + r.limit().map(l -> CompareSheet.share(l.share())).orElse("-") + " of the roof";
    }
}

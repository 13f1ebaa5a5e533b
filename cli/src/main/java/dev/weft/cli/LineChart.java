package dev.weft.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/**
 * Lines over two logarithmic axes, named at their right ends. Its style sheet follows the reader's colour scheme.
 *
 * @param title what the lines show
 * @param unit what the upward axis measures, and over what
 * @param across ticks of the axis to the right, ascending
 * @param acrossText text of such a tick
 * @param upText text of a tick of the axis upward
 * @param lines what is drawn
 * @param gaps distances between two lines that are written beside
 */
record LineChart(
        String title,
        String unit,
        List<Double> across,
        DoubleFunction<String> acrossText,
        DoubleFunction<String> upText,
        List<Line> lines,
        List<Gap> gaps) {
    static final String STYLE = """

            svg { background: #ffffff; font-family: system-ui, 'DejaVu Sans', sans-serif; }
            .paper { fill: #ffffff; } .title { font-size: 16px; font-weight: 600; fill: #111827; }
            .note, .tick { font-size: 12px; fill: #4b5563; } .name { font-size: 13px; font-weight: 600; }
            .gap { font-size: 12px; font-weight: 600; fill: #111827; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
            .grid { stroke: #e5e7eb; } .axis { stroke: #9ca3af; } .bridge { stroke: #111827; stroke-dasharray: 2 3; }
            .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
            .s0 { stroke: #6b7280; } .f0 { fill: #4b5563; } .s1 { stroke: #2563eb; } .f1 { fill: #1d4ed8; }
            .s2 { stroke: #c2410c; } .f2 { fill: #c2410c; } .s3 { stroke: #047857; } .f3 { fill: #047857; }
            .s4 { stroke: #7c3aed; } .f4 { fill: #7c3aed; } .s5 { stroke: #be185d; } .f5 { fill: #be185d; }
            .s6 { stroke: #a16207; } .f6 { fill: #a16207; }
            @media (prefers-color-scheme: dark) {
            svg { background: #111827; }
            .paper { fill: #111827; } .title, .gap { fill: #f3f4f6; } .gap { stroke: #111827; } .note, .tick { fill: #9ca3af; }
            .grid { stroke: #293241; } .axis { stroke: #6b7280; } .bridge { stroke: #f3f4f6; }
            .s0 { stroke: #9ca3af; } .f0 { fill: #d1d5db; } .s1 { stroke: #60a5fa; } .f1 { fill: #93c5fd; }
            .s2 { stroke: #fb923c; } .f2 { fill: #fdba74; } .s3 { stroke: #34d399; } .f3 { fill: #6ee7b7; }
            .s4 { stroke: #a78bfa; } .f4 { fill: #c4b5fd; } .s5 { stroke: #f472b6; } .f5 { fill: #f9a8d4; }
            .s6 { stroke: #facc15; } .f6 { fill: #fde047; }
            }
            """;

    private static final int COLOURS = 7;
    private static final int LEFT = 64;
    private static final int RIGHT = 92;
    private static final int TOP = 62;
    private static final int BOTTOM = 40;
    private static final int NAME_HEIGHT = 16;

    private static final int WORDS_WIDTH = 60;

    /** Nearer to the lower line, where a rising upper one is farther away. */
    private static final double WORDS_PLACE = 0.35;

    /** A line, in the colour of its number. */
    record Line(String name, int colour, List<Point> points) {
        Line {
            points = List.copyOf(points);
        }
    }

    record Point(double x, double y) {}

    /** At {@code x}, from {@code low} up to {@code high}. */
    record Gap(double x, double low, double high, String words) {}

    /** Draws into a rectangle. */
    void draw(Svg svg, double x, double y, double width, double height) {
        double bottom = y + height - BOTTOM;
        LogAxis right = new LogAxis(across.getFirst(), across.getLast(), x + LEFT, x + width - RIGHT);
        LogAxis up = LogAxis.around(least(), most(), bottom, y + TOP);
        svg.text(x + 12, y + 24, "title", "start", title);
        svg.text(x + 12, y + 43, "note", "start", unit);
        for (double v : up.ticks()) {
            svg.element("line", "class", "grid", "x1", right.from(), "x2", right.to(), "y1", up.at(v), "y2", up.at(v));
            svg.text(right.from() - 8, up.at(v) + 4, "tick", "end", upText.apply(v));
        }
        for (double v : across) {
            svg.element("line", "class", "grid", "x1", right.at(v), "x2", right.at(v), "y1", up.from(), "y2", up.to());
            svg.text(right.at(v), bottom + 18, "tick", "middle", acrossText.apply(v));
        }
        svg.element("line", "class", "axis", "x1", right.from(), "x2", right.to(), "y1", bottom, "y2", bottom);
        for (Line line : lines) {
            svg.element("path", "class", "line s" + line.colour() % COLOURS, "d", path(line, right, up));
        }
        for (Gap g : gaps) {
            double place = right.at(g.x());
            svg.element(
                    "line", "class", "bridge", "x1", place, "x2", place, "y1", up.at(g.low()), "y2", up.at(g.high()));
            double beside = up.at(g.low()) + WORDS_PLACE * (up.at(g.high()) - up.at(g.low()));
            boolean roomToTheLeft = place - right.from() > WORDS_WIDTH;
            svg.text(place + (roomToTheLeft ? -6 : 6), beside + 4, "gap", roomToTheLeft ? "end" : "start", g.words());
        }
        names(svg, right, up);
    }

    private double least() {
        return lines.stream()
                .flatMap(l -> l.points().stream())
                .mapToDouble(Point::y)
                .min()
                .orElse(1);
    }

    private double most() {
        return lines.stream()
                .flatMap(l -> l.points().stream())
                .mapToDouble(Point::y)
                .max()
                .orElse(1);
    }

    private static String path(Line line, LogAxis right, LogAxis up) {
        StringBuilder d = new StringBuilder();
        for (Point p : line.points()) {
            d.append(d.isEmpty() ? 'M' : 'L')
                    .append(Svg.number(right.at(p.x())))
                    .append(' ')
                    .append(Svg.number(up.at(p.y())));
        }
        return d.toString();
    }

    /** At the ends of the lines, moved apart downward where they would lie on each other. */
    private void names(Svg svg, LogAxis right, LogAxis up) {
        List<Line> fromTop = new ArrayList<>(lines);
        fromTop.sort((a, b) ->
                Double.compare(b.points().getLast().y(), a.points().getLast().y()));
        double free = Double.NEGATIVE_INFINITY;
        for (Line line : fromTop) {
            double place = Math.max(up.at(line.points().getLast().y()) + 4, free);
            svg.text(right.to() + 8, place, "name f" + line.colour() % COLOURS, "start", line.name());
            free = place + NAME_HEIGHT;
        }
    }
}

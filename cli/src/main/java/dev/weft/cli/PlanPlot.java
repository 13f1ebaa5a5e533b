package dev.weft.cli;

import dev.weft.plan.CostModel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.function.Function;
import java.util.function.ToDoubleBiFunction;

/** FLOPs and cache of a plan over the context, beside those of the baseline, as SVG. */
final class PlanPlot {
    private static final int PANEL = 520;
    private static final int HEIGHT = 400;
    private static final int LEAST_LOG2 = 10;
    private static final int MOST_LOG2 = 20;
    private static final int POINTS_PER_OCTAVE = 4;
    /** Least quotient of two contexts whose words lie beside each other. */
    private static final int LABEL_DISTANCE = 4;

    private static final double GIGA = 1e9;
    private static final double MEGA = 1e6;

    private final PlanSheet sheet;
    private final int firstLog2;
    private final int lastLog2;

    private PlanPlot(PlanSheet sheet) {
        this.sheet = sheet;
        int first = LEAST_LOG2;
        int last = MOST_LOG2;
        for (long context : sheet.contexts()) {
            int floor = Long.SIZE - 1 - Long.numberOfLeadingZeros(context);
            first = Math.min(first, floor);
            last = Math.max(last, Long.bitCount(context) == 1 ? floor : floor + 1);
        }
        firstLog2 = first;
        lastLog2 = last;
    }

    static String of(PlanSheet sheet) {
        PlanPlot plot = new PlanPlot(sheet);
        Svg svg = new Svg(2 * PANEL, HEIGHT, plot.title(), LineChart.STYLE);
        svg.element("rect", "class", "paper", "width", 2 * PANEL, "height", HEIGHT);
        plot.flops().draw(svg, 0, 0, PANEL, HEIGHT);
        plot.caches().draw(svg, PANEL, 0, PANEL, HEIGHT);
        return svg.finish();
    }

    private String title() {
        return "FLOPs and cache of " + sheet.name() + " over the context, beside DeepSeek-V3.2";
    }

    private LineChart flops() {
        return chart(
                "FLOPs of one token",
                "equivalent FP8 GFLOP, over tokens of context",
                v -> String.format(Locale.ROOT, "%,.0f", v),
                sheet.costsOfFlops(),
                cost -> cost.format().indexKeys().key() + " keys",
                (cost, context) -> cost.flops(context).equivalentFp8() / GIGA);
    }

    private LineChart caches() {
        return chart(
                "Cache of one sequence",
                "bytes, over tokens of context",
                v -> v >= GIGA
                        ? String.format(Locale.ROOT, "%,.0f GB", v / GIGA)
                        : String.format(Locale.ROOT, v >= MEGA ? "%,.0f MB" : "%.3f MB", v / MEGA),
                sheet.costs(),
                cost -> cost.format().entries().key() + "/"
                        + cost.format().indexKeys().key(),
                (cost, context) -> cost.heldBytes(context));
    }

    private LineChart chart(
            String title,
            String unit,
            DoubleFunction<String> upText,
            List<CostModel> costs,
            Function<CostModel, String> name,
            ToDoubleBiFunction<CostModel, Long> value) {
        List<LineChart.Line> lines = new ArrayList<>();
        List<LineChart.Gap> gaps = new ArrayList<>();
        boolean isBaseline = sheet.model().equals(sheet.baseline().architecture());
        if (!isBaseline) {
            lines.add(line("V3.2", 0, sheet.baseline(), value));
        }
        for (CostModel cost : costs) {
            String own = costs.size() > 1 ? name.apply(cost) : sheet.shortName();
            lines.add(line(own, 1 + costs.indexOf(cost), cost, value));
        }
        for (long context : isBaseline ? List.<Long>of() : labelled()) {
            double ours = value.applyAsDouble(costs.getFirst(), context);
            double base = value.applyAsDouble(sheet.baseline(), context);
            String words = String.format(Locale.ROOT, "%.1f %%", 100 * ours / base);
            gaps.add(new LineChart.Gap(context, Math.min(ours, base), Math.max(ours, base), words));
        }
        return new LineChart(title, unit, across(), v -> tokens((long) v), upText, lines, gaps);
    }

    /** The contexts asked for, less those whose words would lie on those of a larger one. */
    private List<Long> labelled() {
        List<Long> all = new ArrayList<>();
        sheet.contexts().stream().sorted(Comparator.reverseOrder()).forEach(c -> {
            if (all.isEmpty() || all.getLast() >= c * LABEL_DISTANCE) {
                all.add(c);
            }
        });
        return all;
    }

    private LineChart.Line line(String name, int colour, CostModel cost, ToDoubleBiFunction<CostModel, Long> value) {
        List<LineChart.Point> points = new ArrayList<>();
        for (int i = firstLog2 * POINTS_PER_OCTAVE; i <= lastLog2 * POINTS_PER_OCTAVE; i++) {
            long context = Math.round(Math.pow(2, (double) i / POINTS_PER_OCTAVE));
            points.add(new LineChart.Point(context, value.applyAsDouble(cost, context)));
        }
        return new LineChart.Line(name, colour, points);
    }

    /** Six ticks or so, both ends among them. */
    private List<Double> across() {
        int span = lastLog2 - firstLog2;
        int step = Math.max(1, (span + 4) / 5);
        List<Double> ticks = new ArrayList<>();
        for (int log2 = firstLog2; log2 <= lastLog2; log2 += step) {
            ticks.add(Math.pow(2, log2));
        }
        if (ticks.getLast() < Math.pow(2, lastLog2)) {
            ticks.add(Math.pow(2, lastLog2));
        }
        return ticks;
    }

    private static String tokens(long n) {
        if (n >= 1 << 20 && n % (1 << 20) == 0) {
            return (n >> 20) + "M";
        }
        return n >= 1 << 10 ? (n >> 10) + "K" : Long.toString(n);
    }
}

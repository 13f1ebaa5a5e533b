package dev.weft.cli;

import dev.weft.plan.Deployment;
import dev.weft.plan.Deployment.Routing;
import dev.weft.plan.Efficiency;
import dev.weft.plan.Layout;
import dev.weft.plan.Peaks;
import dev.weft.plan.RankedLayout;
import dev.weft.plan.StepTime;
import dev.weft.plan.Workload;
import java.util.List;
import java.util.Optional;

/** The part of a plan for people that is about devices. */
final class PlanFleetText {
    private static final double GIGA = 1e9;
    private static final String NONE = "-";

    private final Terminal terminal;
    private final PlanSheet sheet;
    private final PlanFleet fleet;

    PlanFleetText(Terminal terminal, PlanSheet sheet, PlanFleet fleet) {
        this.terminal = terminal;
        this.sheet = sheet;
        this.fleet = fleet;
    }

    void print() {
        devices();
        layouts();
        times();
        starts();
        notes();
    }

    private void devices() {
        Peaks p = fleet.peaks();
        terminal.printf("%n%d x %s%n", fleet.count(), fleet.hardware().name());
        terminal.printf(
                "  %.1f GB each, of which 90 %% are filled at most; per second %s from memory, %s FP8, %s BF16, %s FP4%s%n",
                fleet.hardware().memoryBytes() / GIGA,
                scaled(p.memory(), "B"),
                scaled(p.fp8(), "FLOP"),
                scaled(p.bf16(), "FLOP"),
                p.fp4() == null ? "no" : scaled(p.fp4(), "FLOP"),
                Double.isInfinite(p.link()) ? "" : ", " + scaled(p.link(), "B") + " to others");
        terminal.printf("  source: %s%n", fleet.source());
    }

    private void layouts() {
        terminal.printf("%nLayouts by rank, GB on the fullest device%n");
        TextTable table = new TextTable(
                        true,
                        "context",
                        "batch",
                        PlanText.FORMAT,
                        "draft",
                        "layout",
                        "spread",
                        "shared",
                        "dealt",
                        "cache",
                        "held",
                        "by Weft",
                        "TPOT ms",
                        "verdict")
                .omitIfConstant(PlanText.FORMAT, "draft");
        sheet.differing().forEach(c -> sheet.ranking(c).forEach(r -> table.add(row(c, r))));
        table.print(terminal);
    }

    private String[] row(PlanSheet.Case c, RankedLayout r) {
        Layout l = r.layout();
        StepTime step = r.step();
        Double rank = l.rankBytes();
        return new String[] {
            Units.grouped(c.work().context()),
            Long.toString(c.work().batch()),
            PlanText.format(c.cost()),
            Integer.toString(c.work().drafted()),
            l.name(),
            spread(l),
            Units.decimal(1, l.sharedBytes() / GIGA),
            Units.decimal(1, l.dealtBytes() / GIGA),
            Units.decimal(1, l.cacheBytes() / GIGA),
            Units.decimal(1, l.heldBytes() / GIGA),
            rank == null ? NONE : Units.decimal(1, rank / GIGA),
            step == null ? NONE : Units.decimal(2, c.deployment().secondsPerToken(step) * 1e3),
            r.verdict()
        };
    }

    private static String spread(Layout l) {
        return l.spread().isEmpty() ? NONE : String.join(",", l.spread());
    }

    /** How the chosen layouts are started. */
    private void starts() {
        terminal.printf("%nHow to start it%n");
        sheet.differing()
                .forEach(c -> terminal.printf("  %s%n", PlanLaunch.of(sheet, c).text()));
    }

    private void times() {
        terminal.printf("%nHow fast%n");
        TextTable table = new TextTable(
                        false,
                        "context",
                        "batch",
                        PlanText.FORMAT,
                        "draft",
                        "kept",
                        "layout",
                        "spread",
                        "line",
                        "TPOT ms",
                        "tok/s/device",
                        "tok/s",
                        "waits for",
                        "prompt",
                        "TTFT s")
                .omitIfConstant(PlanText.FORMAT);
        for (PlanSheet.Case c : sheet.cases()) {
            table.add(line(c, "strict", Efficiency.ROOFLINE, Routing.SAME));
            table.add(line(c, "roofline", Efficiency.ROOFLINE, Routing.INDEPENDENT));
            if (fleet.calibrated()) {
                table.add(line(c, "calibrated", Efficiency.CALIBRATED, Routing.INDEPENDENT));
            }
        }
        table.print(terminal);
    }

    private String[] line(PlanSheet.Case c, String name, Efficiency efficiency, Routing routing) {
        Deployment d = c.deployment();
        Optional<Layout> layout = sheet.chosen(c).map(RankedLayout::layout);
        Optional<StepTime> step = layout.map(l -> d.step(l, efficiency, routing));
        Workload w = c.work();
        return new String[] {
            Units.grouped(w.context()),
            Long.toString(w.batch()),
            PlanText.format(c.cost()),
            Integer.toString(w.drafted()),
            Units.decimal(2, w.accepted()),
            layout.map(Layout::name).orElse("does not fit"),
            layout.map(PlanFleetText::spread).orElse(NONE),
            name,
            step.map(s -> Units.decimal(2, d.secondsPerToken(s) * 1e3)).orElse(NONE),
            step.map(s -> Units.decimal(0, d.tokensPerSecondAndDevice(s))).orElse(NONE),
            step.map(s -> Units.decimal(0, d.tokensPerSecondAndDevice(s) * fleet.count()))
                    .orElse(NONE),
            step.map(StepTime::bound).orElse(NONE),
            Units.grouped(w.prompt()),
            Units.decimal(2, d.firstTokenSeconds(efficiency))
        };
    }

    private void notes() {
        if (sheet.model().config() != null) {
            terminal.printf(
                    "%nheld: in the formats of the checkpoint and of the cache; by Weft: weights and states as it"
                            + " loads them, which decides whether a layout that it runs fits%n");
        }
        terminal.printf(
                "roofline: peaks alone, tokens routed uniformly and independently; strict: all tokens of a step at the"
                        + " same %d experts%n",
                sheet.model().activeExperts());
        if (fleet.calibrated()) {
            terminal.printf(
                    "calibrated: %.0f %% of the memory rate, %.0f %% of the computing rate, %.0f us per layer. %s%n",
                    100 * Efficiency.CALIBRATED.memory(),
                    100 * Efficiency.CALIBRATED.compute(),
                    1e6 * Efficiency.CALIBRATED.layerSeconds(),
                    Efficiency.FIT);
        } else {
            terminal.printf("no calibrated line: its fit was made on accelerators%n");
        }
        if (sheet.cases().stream().anyMatch(c -> c.work().drafted() > 0)) {
            terminal.printf("kept: drafts kept per step on average; compare only lines with the same%n");
        }
        if (fleet.count() > 1) {
            Deployment d = sheet.cases().getFirst().deployment();
            terminal.printf(
                    "a fused dispatch-GEMM-combine %s its transfers: %.0f FLOP per byte sent, of %.0f (twice an expert's"
                            + " inner width) that hide%n",
                    d.flopsPerSentByte() <= d.hiddenExchangeLimit() ? "hides" : "does not hide",
                    d.flopsPerSentByte(),
                    d.hiddenExchangeLimit());
        }
    }

    /** As in {@code 4.00 TB}. */
    private static String scaled(double perSecond, String unit) {
        List<String> prefixes = List.of("G", "T", "P");
        double value = perSecond / GIGA;
        int i = 0;
        while (value >= 1000 && i < prefixes.size() - 1) {
            value /= 1000;
            i++;
        }
        return Units.decimal(2, value) + " " + prefixes.get(i) + unit;
    }
}

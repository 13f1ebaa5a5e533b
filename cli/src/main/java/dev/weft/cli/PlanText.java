package dev.weft.cli;

import dev.weft.plan.Architecture;
import dev.weft.plan.AttentionLayer;
import dev.weft.plan.CostModel;
import dev.weft.plan.Deployment;
import dev.weft.plan.Deployment.Routing;
import dev.weft.plan.Efficiency;
import dev.weft.plan.Layout;
import dev.weft.plan.ParameterGroup;
import dev.weft.plan.ParameterGroup.Kind;
import dev.weft.plan.Peaks;
import dev.weft.plan.StepTime;
import dev.weft.plan.TokenFlops;
import dev.weft.plan.Workload;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** A plan for people. */
final class PlanText {
    private static final double GIGA = 1e9;

    private final Terminal terminal;
    private final PlanSheet sheet;
    private final Architecture model;

    PlanText(Terminal terminal, PlanSheet sheet) {
        this.terminal = terminal;
        this.sheet = sheet;
        this.model = sheet.model();
    }

    void print() {
        terminal.printf(
                "%s (%s): %d layers (%s), width %d, %d of %d experts per token, %d MTP block%s%n%n",
                sheet.name(),
                model.family(),
                model.layers(),
                kinds(model),
                model.hidden(),
                model.activeExperts(),
                model.experts(),
                model.mtpBlocks(),
                model.mtpBlocks() == 1 ? "" : "s");
        parameters();
        flops();
        caches();
        PlanFleet fleet = sheet.fleet();
        if (fleet != null) {
            devices(fleet);
            layouts();
            times(fleet);
            notes(fleet);
        }
    }

    /** As in {@code 30 CSA, 31 HCA}. */
    static String kinds(Architecture model) {
        Map<String, Long> counts = model.attention().stream()
                .collect(Collectors.groupingBy(AttentionLayer::kind, TreeMap::new, Collectors.counting()));
        return counts.entrySet().stream()
                .map(e -> e.getValue() + " " + e.getKey())
                .collect(Collectors.joining(", "));
    }

    private void parameters() {
        TextTable table = new TextTable(true, "parameters", "billion", "GB", "stored as");
        for (Kind kind : Kind.values()) {
            group(table, kind.title(), g -> !g.mtp() && g.kind() == kind);
        }
        group(table, "MTP blocks", ParameterGroup::mtp);
        table.print(terminal);
        Architecture base = sheet.baseline().architecture();
        terminal.printf("%n");
        new TextTable(false, "", "", sheet.shortName(), "V3.2", "of V3.2")
                .add(compared("main stack", "B", model.mainParameters(), base.mainParameters()))
                .add(compared("with MTP blocks", "B", model.allParameters(), base.allParameters()))
                .add(compared("active per token", "B", model.activeParameters(), base.activeParameters()))
                .add(compared("checkpoint", "GB", model.checkpointBytes(), base.checkpointBytes()))
                .print(terminal);
        terminal.printf(
                "The checkpoint has %,d bytes (%.1f GiB). The embedding table does not count as active.%n%n",
                model.checkpointBytes(), model.checkpointBytes() / (double) (1 << 30));
    }

    private void group(TextTable table, String title, Predicate<ParameterGroup> which) {
        List<String> formats = model.parameters().stream()
                .filter(which)
                .sorted(Comparator.comparingLong(ParameterGroup::bytes).reversed())
                .map(g -> g.stored().toString())
                .distinct()
                .toList();
        if (!formats.isEmpty()) {
            double parameters = model.count(which);
            double bytes = model.bytes(which);
            table.add(title, f(3, parameters / GIGA), f(3, bytes / GIGA), String.join(", ", formats));
        }
    }

    private static String[] compared(String what, String unit, double ours, double base) {
        return new String[] {what, unit, f(2, ours / GIGA), f(2, base / GIGA), f(2, 100 * ours / base) + " %"};
    }

    private void flops() {
        terminal.printf("One token, in equivalent FP8 GFLOP (BF16 counts 2, FP8 1, FP4 x FP4 0.5)%n");
        TextTable table = new TextTable(
                false, "context", "index keys", "linear", "indexer", "attention", "total", "V3.2", "of V3.2", "lower");
        for (CostModel cost : sheet.costs()) {
            for (long context : sheet.contexts()) {
                TokenFlops t = cost.flops(context);
                double base = sheet.baseline().flops(context).equivalentFp8();
                table.add(
                        tokens(context),
                        cost.format().indexKeys().key(),
                        f(2, t.linear() / GIGA),
                        f(2, t.weightedIndexer() / GIGA),
                        f(2, t.weightedCore() / GIGA),
                        f(2, t.equivalentFp8() / GIGA),
                        f(2, base / GIGA),
                        f(2, sheet.flopsPercent(cost, context)) + " %",
                        f(2, base / t.equivalentFp8()) + "x");
            }
        }
        table.print(terminal);
        beyond();
        terminal.printf("%n");
    }

    private void beyond() {
        sheet.contexts().stream()
                .filter(c -> c > model.maxContext())
                .forEach(c -> terminal.printf(
                        "%s is beyond the %s tokens that %s was trained for%n",
                        tokens(c), tokens(model.maxContext()), sheet.name()));
    }

    private void caches() {
        terminal.printf(
                "Cache of one sequence, besides %.2f MiB of tokens not folded yet%n",
                sheet.costs().getFirst().tailBytes() / (double) (1 << 20));
        TextTable table = new TextTable(
                false,
                "context",
                "entries/keys",
                "GB",
                "MiB",
                "B/token",
                "V3.2 GB",
                "of V3.2",
                "smaller",
                "of GQA-8",
                "MB read/token");
        for (CostModel cost : sheet.costs()) {
            for (long context : sheet.contexts()) {
                double held = cost.heldBytes(context);
                double base = sheet.baseline().heldBytes(context);
                table.add(
                        tokens(context),
                        format(cost),
                        f(2, held / GIGA),
                        f(1, held / (1 << 20)),
                        f(0, held / context),
                        f(2, base / GIGA),
                        f(2, sheet.cachePercent(cost, context)) + " %",
                        f(2, base / held) + "x",
                        f(1, 100 * held / cost.plainCacheBytes(context)) + " %",
                        f(1, cost.readBytes(context) / 1e6));
            }
        }
        table.print(terminal);
    }

    private void devices(PlanFleet fleet) {
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
        terminal.printf("  source: %s%s%n", fleet.measured() ? "measured; published peaks: " : "", fleet.hardware().source());
    }

    private void layouts() {
        terminal.printf("%nWhat fits, GB on the fullest device%n");
        TextTable table = new TextTable(
                true, "context", "batch", "entries/keys", "layout", "shared", "dealt", "cache", "held", "fits");
        sheet.cases().stream()
                .collect(Collectors.toMap(
                        c -> tokens(c.work().context()) + " " + c.work().batch() + " " + format(c.cost()),
                        c -> c,
                        (a, b) -> a, // prompts and drafts change nothing
                        LinkedHashMap::new))
                .values()
                .forEach(c -> c.deployment().layouts().forEach(l -> table.add(
                        tokens(c.work().context()),
                        Long.toString(c.work().batch()),
                        format(c.cost()),
                        l.name(),
                        f(1, l.sharedBytes() / GIGA),
                        f(1, l.dealtBytes() / GIGA),
                        f(1, l.cacheBytes() / GIGA),
                        f(1, l.heldBytes() / GIGA),
                        l.fits() ? "yes" : "no: " + l.obstacle())));
        table.print(terminal);
    }

    private void times(PlanFleet fleet) {
        terminal.printf("%nHow fast%n");
        TextTable table = new TextTable(
                false,
                "context",
                "batch",
                "entries/keys",
                "draft",
                "layout",
                "line",
                "TPOT ms",
                "tok/s/device",
                "tok/s",
                "waits for",
                "prompt",
                "TTFT s");
        for (PlanSheet.Case c : sheet.cases()) {
            Optional<Layout> best = c.deployment().best();
            if (best.isEmpty()) {
                table.add(head(c, "does not fit", "-", "-", "-", "-", "-", ttft(c, Efficiency.ROOFLINE)));
                continue;
            }
            table.add(line(c, best.get(), "strict", Efficiency.ROOFLINE, Routing.SAME, fleet.count()));
            table.add(line(c, best.get(), "roofline", Efficiency.ROOFLINE, Routing.INDEPENDENT, fleet.count()));
            if (fleet.calibrated()) {
                table.add(line(c, best.get(), "calibrated", Efficiency.CALIBRATED, Routing.INDEPENDENT, fleet.count()));
            }
        }
        table.print(terminal);
    }

    private static String[] line(
            PlanSheet.Case c, Layout layout, String name, Efficiency efficiency, Routing routing, int count) {
        Deployment d = c.deployment();
        StepTime step = d.step(layout, efficiency, routing);
        double rate = d.tokensPerSecondAndDevice(step);
        return head(
                c,
                layout.name(),
                name,
                f(2, d.secondsPerToken(step) * 1e3),
                f(rate < 10 ? 2 : 0, rate),
                f(rate * count < 10 ? 2 : 0, rate * count),
                step.bound(),
                ttft(c, efficiency));
    }

    private static String[] head(
            PlanSheet.Case c,
            String layout,
            String line,
            String tpot,
            String perDevice,
            String rate,
            String bound,
            String ttft) {
        Workload w = c.work();
        return new String[] {
            tokens(w.context()),
            Long.toString(w.batch()),
            format(c.cost()),
            Integer.toString(w.drafted()),
            layout,
            line,
            tpot,
            perDevice,
            rate,
            bound,
            tokens(w.prompt()),
            ttft
        };
    }

    private static String ttft(PlanSheet.Case c, Efficiency efficiency) {
        return f(2, c.deployment().firstTokenSeconds(efficiency));
    }

    private void notes(PlanFleet fleet) {
        Workload w = sheet.cases().getFirst().work();
        terminal.printf(
                "%nroofline: peaks alone, tokens routed uniformly and independently; strict: all tokens of a step at the"
                        + " same %d experts%n",
                model.activeExperts());
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
            terminal.printf(
                    "drafts: of %d drafted %.2f are kept on average; compare only lines with the same drafts%n",
                    w.drafted(), w.accepted());
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

    private static String format(CostModel cost) {
        return cost.format().entries().key() + "/" + cost.format().indexKeys().key();
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
        return f(2, value) + " " + prefixes.get(i) + unit;
    }

    static String tokens(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    private static String f(int decimals, double value) {
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }
}

package dev.weft.cli;

import dev.weft.plan.Architecture;
import dev.weft.plan.AttentionLayer;
import dev.weft.plan.CostModel;
import dev.weft.plan.ParameterGroup;
import dev.weft.plan.ParameterGroup.Kind;
import dev.weft.plan.TokenFlops;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** A plan for people. */
final class PlanText {
    private static final double GIGA = 1e9;
    private static final double MEGA = 1e6;
    private static final String KEYS = "index keys";
    static final String FORMAT = "entries/keys";

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
            new PlanFleetText(terminal, sheet, fleet).print();
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
        TextTable table =
                new TextTable(true, "parameters", large() ? "billion" : "million", large() ? "GB" : "MB", "stored as");
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
                "The checkpoint has %,d bytes (%s). The embedding table does not count as active.%n%n",
                model.checkpointBytes(), Units.bytes(model.checkpointBytes()));
    }

    private boolean large() {
        return model.checkpointBytes() >= GIGA;
    }

    private double unit() {
        return large() ? GIGA : MEGA;
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
            table.add(
                    title,
                    Units.decimal(3, parameters / unit()),
                    Units.decimal(3, bytes / unit()),
                    String.join(", ", formats));
        }
    }

    private static String[] compared(String what, String unit, double ours, double base) {
        return new String[] {
            what,
            unit,
            Units.decimal(2, ours / GIGA),
            Units.decimal(2, base / GIGA),
            Units.decimal(2, 100 * ours / base) + " %"
        };
    }

    private void flops() {
        terminal.printf("One token, in equivalent FP8 GFLOP (BF16 counts 2, FP8 1, FP4 x FP4 0.5)%n");
        TextTable table = new TextTable(
                        false, "context", KEYS, "linear", "indexer", "attention", "total", "V3.2", "of V3.2", "lower")
                .omitIfConstant(KEYS);
        for (long context : sheet.contexts()) {
            for (CostModel cost : sheet.costsOfFlops()) {
                TokenFlops t = cost.flops(context);
                double base = sheet.baseline().flops(context).equivalentFp8();
                table.add(
                        Units.grouped(context),
                        cost.format().indexKeys().key(),
                        Units.decimal(2, t.linear() / GIGA),
                        Units.decimal(2, t.weightedIndexer() / GIGA),
                        Units.decimal(2, t.weightedCore() / GIGA),
                        Units.decimal(2, t.equivalentFp8() / GIGA),
                        Units.decimal(2, base / GIGA),
                        Units.decimal(2, sheet.flopsPercent(cost, context)) + " %",
                        Units.decimal(2, base / t.equivalentFp8()) + "x");
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
                        Units.grouped(c), Units.grouped(model.maxContext()), sheet.name()));
    }

    private void caches() {
        terminal.printf(
                "Cache of one sequence%s, besides %.2f MiB of tokens not folded yet%n",
                sheet.costs().size() == 1 ? " (" + sheet.costs().getFirst().format() + ")" : "",
                sheet.costs().getFirst().tailBytes() / (double) (1 << 20));
        TextTable table = new TextTable(
                        false,
                        "context",
                        FORMAT,
                        "GB",
                        "MiB",
                        "B/token",
                        "V3.2 GB",
                        "of V3.2",
                        "smaller",
                        "of GQA-8",
                        "MB read/token")
                .omitIfConstant(FORMAT);
        for (long context : sheet.contexts()) {
            for (CostModel cost : sheet.costs()) {
                double held = cost.heldBytes(context);
                double base = sheet.baseline().heldBytes(context);
                table.add(
                        Units.grouped(context),
                        format(cost),
                        Units.decimal(2, held / GIGA),
                        Units.decimal(1, held / (1 << 20)),
                        Units.decimal(0, held / context),
                        Units.decimal(2, base / GIGA),
                        Units.decimal(2, sheet.cachePercent(cost, context)) + " %",
                        Units.decimal(2, base / held) + "x",
                        Units.decimal(1, 100 * held / cost.plainCacheBytes(context)) + " %",
                        Units.decimal(1, cost.readBytes(context) / MEGA));
            }
        }
        table.print(terminal);
        terminal.printf("GQA-8: a BF16 cache of 8 heads x 128 with as many layers%n");
    }

    /** As in {@code fp8/fp4}: entries, then index keys. */
    static String format(CostModel cost) {
        return cost.format().entries().key() + "/" + cost.format().indexKeys().key();
    }
}

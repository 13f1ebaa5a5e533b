package dev.weft.cli;

import dev.weft.plan.Architecture;
import dev.weft.plan.CostModel;
import dev.weft.plan.Deployment;
import dev.weft.plan.Deployment.Routing;
import dev.weft.plan.Efficiency;
import dev.weft.plan.Layout;
import dev.weft.plan.ParameterGroup;
import dev.weft.plan.Peaks;
import dev.weft.plan.RankedLayout;
import dev.weft.plan.StepTime;
import dev.weft.plan.TokenFlops;
import dev.weft.plan.Workload;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A plan for programs. The fields are described in {@code docs/plan.md} and stay as they are. */
final class PlanJson {
    private static final double GIGA = 1e9;

    private PlanJson() {}

    static ObjectNode of(PlanSheet sheet) {
        ObjectNode root = Json.object();
        root.put("weft", Version.text());
        root.put("model", sheet.name());
        architecture(sheet.model(), root.putObject("architecture"));
        parameters(sheet.model(), root.putObject("parameters"));
        root.put("checkpointBytes", sheet.model().checkpointBytes());
        root.put("baseline", "v3.2");
        ArrayNode contexts = root.putArray("contexts");
        for (long context : sheet.contexts()) {
            for (CostModel cost : sheet.costs()) {
                context(sheet, cost, context, contexts.addObject());
            }
        }
        PlanFleet fleet = sheet.fleet();
        if (fleet != null) {
            hardware(fleet, root.putObject("hardware"));
            calibration(fleet, root);
            ArrayNode plans = root.putArray("plans");
            sheet.cases().forEach(c -> plan(sheet, fleet, c, plans.addObject()));
        }
        return root;
    }

    private static void architecture(Architecture a, ObjectNode to) {
        to.put("family", a.family())
                .put("layers", a.layers())
                .put("layerKinds", PlanText.kinds(a))
                .put("moeLayers", a.moeLayers())
                .put("mtpBlocks", a.mtpBlocks())
                .put("hidden", a.hidden())
                .put("experts", a.experts())
                .put("activeExperts", a.activeExperts())
                .put("expertInner", a.expertInner())
                .put("maxContext", a.maxContext());
    }

    private static void parameters(Architecture a, ObjectNode to) {
        to.put("mainStack", a.mainParameters())
                .put("withMtp", a.allParameters())
                .put("active", a.activeParameters());
        ArrayNode groups = to.putArray("groups");
        for (ParameterGroup g : a.parameters()) {
            groups.addObject()
                    .put("kind", g.kind().title())
                    .put("mtp", g.mtp())
                    .put("stored", g.stored().toString())
                    .put("multiplied", g.multiplied())
                    .put("parameters", g.parameters())
                    .put("bytes", g.bytes());
        }
    }

    private static void format(CostModel cost, ObjectNode to) {
        to.put("cache", cost.format().entries().key())
                .put("indexKeys", cost.format().indexKeys().key());
    }

    private static void context(PlanSheet sheet, CostModel cost, long context, ObjectNode to) {
        to.put("context", context);
        format(cost, to);
        TokenFlops f = cost.flops(context);
        double base = sheet.baseline().flops(context).equivalentFp8();
        ObjectNode flops = to.putObject("flops");
        flops.put("linearGflop", f.linear() / GIGA)
                .put("indexerGflop", f.weightedIndexer() / GIGA)
                .put("coreGflop", f.weightedCore() / GIGA)
                .put("totalGflop", f.equivalentFp8() / GIGA)
                .put("unweightedGflop", f.unweighted() / GIGA)
                .put("baselineGflop", base / GIGA)
                .put("percentOfBaseline", two(sheet.flopsPercent(cost, context)))
                .put("timesLower", two(base / f.equivalentFp8()));
        long held = cost.heldBytes(context);
        long baseHeld = sheet.baseline().heldBytes(context);
        ObjectNode cache = to.putObject("kvCache");
        cache.put("bytes", held)
                .put("bytesPerToken", (double) held / context)
                .put("readBytes", cost.readBytes(context))
                .put("tailBytes", cost.tailBytes())
                .put("baselineBytes", baseHeld)
                .put("percentOfBaseline", two(sheet.cachePercent(cost, context)))
                .put("timesSmaller", two((double) baseHeld / held))
                .put("percentOfGqa8", two(100.0 * held / cost.plainCacheBytes(context)));
    }

    private static void hardware(PlanFleet fleet, ObjectNode to) {
        Peaks p = fleet.peaks();
        to.put("kind", fleet.hardware().kind())
                .put("name", fleet.hardware().name())
                .put("count", fleet.count())
                .put("peaks", fleet.origin())
                .put("memoryGB", fleet.hardware().memoryBytes() / GIGA)
                .put("usableGB", fleet.hardware().usableBytes() / GIGA)
                .put("memoryTBps", p.memory() / 1e12)
                .put("fp8PF", p.fp8() / 1e15)
                .put("bf16PF", p.bf16() / 1e15);
        if (p.fp4() == null) {
            to.putNull("fp4PF");
        } else {
            to.put("fp4PF", p.fp4() / 1e15);
        }
        if (Double.isInfinite(p.link())) {
            to.putNull("linkGBps");
        } else {
            to.put("linkGBps", p.link() / GIGA);
        }
        to.put("source", fleet.source());
    }

    private static void calibration(PlanFleet fleet, ObjectNode root) {
        if (!fleet.calibrated()) {
            root.putNull("calibration");
            return;
        }
        root.putObject("calibration")
                .put("memory", Efficiency.CALIBRATED.memory())
                .put("compute", Efficiency.CALIBRATED.compute())
                .put("layerMicroseconds", Efficiency.CALIBRATED.layerSeconds() * 1e6)
                .put("fit", Efficiency.FIT);
    }

    private static void plan(PlanSheet sheet, PlanFleet fleet, PlanSheet.Case c, ObjectNode to) {
        Workload w = c.work();
        Deployment d = c.deployment();
        to.put("context", w.context());
        format(c.cost(), to);
        to.put("batch", w.batch())
                .put("prompt", w.prompt())
                .put("drafted", w.drafted())
                .put("accepted", w.accepted());
        List<RankedLayout> ranking = sheet.ranking(c);
        Optional<RankedLayout> chosen =
                ranking.stream().filter(RankedLayout::chosen).findFirst();
        Optional<Layout> best = chosen.map(RankedLayout::layout);
        chosen.ifPresentOrElse(r -> layout(d, r, to.putObject("layout")), () -> to.putNull("layout"));
        ArrayNode layouts = to.putArray("layouts");
        ranking.forEach(r -> layout(d, r, layouts.addObject()));
        to.put("start", PlanLaunch.of(sheet, c).command());
        line(d, best, Efficiency.ROOFLINE, Routing.SAME, to.putObject("strict"));
        line(d, best, Efficiency.ROOFLINE, Routing.INDEPENDENT, to.putObject("roofline"));
        if (fleet.calibrated()) {
            line(d, best, Efficiency.CALIBRATED, Routing.INDEPENDENT, to.putObject("calibrated"));
        } else {
            to.putNull("calibrated");
        }
        to.putObject("overlap")
                .put("flopsPerSentByte", d.flopsPerSentByte())
                .put("limit", d.hiddenExchangeLimit())
                .put("hides", d.flopsPerSentByte() <= d.hiddenExchangeLimit());
    }

    private static void layout(Deployment d, RankedLayout r, ObjectNode to) {
        Layout l = r.layout();
        to.put("name", l.name())
                .put("dataParallel", l.dataParallel())
                .put("tensorParallel", l.tensorParallel())
                .put("expertParallel", l.expertParallel());
        l.spread().forEach(to.putArray("spread")::add);
        to.put("heldGB", l.heldBytes() / GIGA)
                .put("sharedGB", l.sharedBytes() / GIGA)
                .put("dealtGB", l.dealtBytes() / GIGA)
                .put("cacheGB", l.cacheBytes() / GIGA);
        Double rank = l.rankBytes();
        to.put("heldByWeftGB", rank == null ? null : Double.valueOf(rank / GIGA));
        StepTime step = r.step();
        to.put("tpotMs", step == null ? null : Double.valueOf(d.secondsPerToken(step) * 1e3))
                .put("fits", l.fits())
                .put("obstacle", l.obstacle())
                .put("plannedOnly", l.plannedOnly())
                .put("chosen", r.chosen())
                .put("verdict", r.verdict());
    }

    private static void line(
            Deployment d, Optional<Layout> layout, Efficiency efficiency, Routing routing, ObjectNode to) {
        layout.ifPresent(l -> {
            StepTime step = d.step(l, efficiency, routing);
            to.put("tpotMs", d.secondsPerToken(step) * 1e3)
                    .put("tokensPerSecondPerDevice", d.tokensPerSecondAndDevice(step))
                    .put("touchedExperts", d.touchedExperts(routing))
                    .put("waitsFor", step.bound());
            to.putObject("stepMs")
                    .put("memory", step.memory() * 1e3)
                    .put("compute", step.compute() * 1e3)
                    .put("exchange", step.exchange() * 1e3)
                    .put("launch", step.launch() * 1e3)
                    .put("total", step.seconds() * 1e3);
        });
        to.put("ttftSeconds", d.firstTokenSeconds(efficiency));
    }

    /** With two decimals. */
    private static BigDecimal two(double value) {
        return BigDecimal.valueOf(value).setScale(2, RoundingMode.HALF_EVEN);
    }
}

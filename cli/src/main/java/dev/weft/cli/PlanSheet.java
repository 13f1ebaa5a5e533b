package dev.weft.cli;

import dev.weft.plan.Architecture;
import dev.weft.plan.CostModel;
import dev.weft.plan.Deployment;
import dev.weft.plan.Efficiency;
import dev.weft.plan.RankedLayout;
import dev.weft.plan.Workload;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * All that a plan shows.
 *
 * @param name the model as it was asked for
 * @param baseline what it is held against
 * @param costs the model with each cache format asked for
 * @param contexts contexts, as asked for
 * @param fleet devices; null if none were asked for
 * @param cases every combination on those devices
 */
record PlanSheet(
        String name,
        Architecture model,
        CostModel baseline,
        List<CostModel> costs,
        List<Long> contexts,
        @Nullable PlanFleet fleet,
        List<Case> cases) {
    /** A workload on the devices. */
    record Case(CostModel cost, Workload work, Deployment deployment) {}

    /** Cases whose layouts may differ: one of those that only their prompts tell apart. */
    Collection<Case> differing() {
        return cases.stream()
                .collect(Collectors.toMap(
                        c -> List.of(
                                c.work().context(),
                                c.work().batch(),
                                c.work().drafted(),
                                c.cost().format()),
                        c -> c,
                        (a, b) -> a,
                        LinkedHashMap::new))
                .values();
    }

    /** Layouts of a case by rank: by the calibrated line where it was made for such devices, else by the roofline. */
    List<RankedLayout> ranking(Case c) {
        boolean calibrated = fleet != null && fleet.calibrated();
        return c.deployment().ranking(calibrated ? Efficiency.CALIBRATED : Efficiency.ROOFLINE);
    }

    /** The layout that a case is given. */
    Optional<RankedLayout> chosen(Case c) {
        return ranking(c).stream().filter(RankedLayout::chosen).findFirst();
    }

    /** The model's name, of a path its last part. */
    String shortName() {
        Path last = Path.of(name).getFileName();
        return last == null ? name : last.toString();
    }

    /** One per format of the index keys: that of the entries has no part in FLOPs. */
    List<CostModel> costsOfFlops() {
        return List.copyOf(costs.stream()
                .collect(Collectors.toMap(c -> c.format().indexKeys(), c -> c, (a, b) -> a, LinkedHashMap::new))
                .values());
    }

    /** Per cent of the baseline's FLOPs. */
    double flopsPercent(CostModel cost, long context) {
        return 100
                * cost.flops(context).equivalentFp8()
                / baseline.flops(context).equivalentFp8();
    }

    /** Per cent of the baseline's cache. */
    double cachePercent(CostModel cost, long context) {
        return 100.0 * cost.heldBytes(context) / baseline.heldBytes(context);
    }
}

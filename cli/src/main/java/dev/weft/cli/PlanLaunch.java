package dev.weft.cli;

import dev.weft.parallel.ParallelPlan;
import dev.weft.plan.Layout;
import dev.weft.plan.RankedLayout;
import dev.weft.plan.Workload;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How the layout of a plan is started.
 *
 * @param command a command line; null if no layout fits, or Weft does not run the one that does
 * @param text the command, or why there is none; for people
 */
record PlanLaunch(@Nullable String command, String text) {
    static PlanLaunch of(PlanSheet sheet, PlanSheet.Case c) {
        Optional<Layout> layout = sheet.chosen(c).map(RankedLayout::layout);
        if (layout.isEmpty()) {
            return new PlanLaunch(
                    null,
                    "nothing to start at a context of " + Units.grouped(c.work().context()) + ": no layout fits");
        }
        Optional<ParallelPlan> plan = layout.get().parallelPlan();
        if (plan.isEmpty()) {
            return new PlanLaunch(
                    null,
                    layout.get().name() + " is planned only: " + layout.get().plannedOnly());
        }
        String command = command(sheet, layout.get(), plan.get(), c.work());
        return new PlanLaunch(command, command);
    }

    private static String command(PlanSheet sheet, Layout layout, ParallelPlan plan, Workload work) {
        StringBuilder line = new StringBuilder();
        if (plan.ranks() > 1) {
            line.append("mpirun -n ").append(plan.ranks()).append(' ');
        }
        line.append("weft generate ").append(folder(sheet.name()));
        if (!layout.spread().isEmpty()) {
            line.append(" --spread ").append(String.join(",", layout.spread()));
        }
        line.append(" --context ").append(work.context());
        if (work.drafted() > 0 && plan.ranks() == 1) { // over ranks nothing is drafted
            line.append(" --speculate");
        }
        return line.append(" --prompt \"...\"").toString();
    }

    /** The folder of the checkpoint if the model was given as one. */
    private static String folder(String model) {
        return Files.isDirectory(Path.of(model)) ? model : "MODEL";
    }
}

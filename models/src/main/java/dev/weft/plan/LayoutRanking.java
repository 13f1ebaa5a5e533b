package dev.weft.plan;

import dev.weft.plan.Deployment.Routing;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * Orders the layouts of a deployment: those that fit and that Weft runs, fastest first; then those that fit but are planned
 * only, smallest groups first, since exchange within a group is not counted; then those that do not fit.
 *
 * <p>Times of the calibrated line are off by {@link Efficiency#FIT_ERROR}. What is faster by less than that is not known to be: the simplest layout that fits is chosen unless another one is faster by more.
 */
final class LayoutRanking {
    private static final double SURELY_FASTER = Math.exp(Efficiency.FIT_ERROR);

    private record Timed(Layout layout, StepTime step) {
        double seconds() {
            return step.seconds();
        }
    }

    private LayoutRanking() {}

    static List<RankedLayout> of(Deployment d, Efficiency efficiency) {
        List<Timed> run = new ArrayList<>();
        List<Timed> planned = new ArrayList<>();
        List<RankedLayout> refused = new ArrayList<>();
        for (Layout l : d.layouts()) {
            if (l.obstacle() != null) {
                refused.add(new RankedLayout(l, null, false, "no: " + l.obstacle()));
            } else {
                Timed timed = new Timed(l, d.step(l, efficiency, Routing.INDEPENDENT));
                (l.plannedOnly() == null ? run : planned).add(timed);
            }
        }
        List<RankedLayout> ranked = new ArrayList<>();
        if (!run.isEmpty()) {
            runnable(run, ranked);
        }
        for (Timed t : planned) {
            boolean chosen = ranked.isEmpty();
            ranked.add(new RankedLayout(
                    t.layout,
                    t.step,
                    chosen,
                    (chosen ? "chosen, but planned only: " : "planned only: ") + t.layout.plannedOnly()));
        }
        ranked.addAll(refused);
        return ranked;
    }

    /** @param run in order of preference */
    private static void runnable(List<Timed> run, List<RankedLayout> to) {
        Timed simplest = run.getFirst();
        Timed fastest =
                run.stream().min(Comparator.comparingDouble(Timed::seconds)).orElseThrow();
        Timed chosen = simplest.seconds() > fastest.seconds() * SURELY_FASTER ? fastest : simplest;
        to.add(new RankedLayout(chosen.layout, chosen.step, true, "chosen"));
        run.stream()
                .filter(t -> t != chosen)
                .sorted(Comparator.comparingDouble(Timed::seconds))
                .forEach(t -> to.add(new RankedLayout(t.layout, t.step, false, against(t, chosen))));
    }

    private static String against(Timed other, Timed chosen) {
        double percent = 100 * (other.seconds() / chosen.seconds() - 1);
        return percent < 0
                ? String.format(
                        Locale.ROOT,
                        "%.0f %% less time, within the error of the fit: the simpler one is chosen",
                        -percent)
                : String.format(Locale.ROOT, "takes %.0f %% longer", percent);
    }
}

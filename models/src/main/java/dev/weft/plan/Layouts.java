package dev.weft.plan;

import dev.weft.WeftException;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.plan.ParameterGroup.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Every way to lay a model over devices, with what stands against it. What Weft runs is judged by what it would load: {@link
 * ParallelPlan} says whether the model can be spread so, {@link RankMemory} what a rank holds. The rest is judged by the bytes
 * of the checkpoint.
 */
final class Layouts {
    private static final String TENSOR_PARALLEL = "Weft does not run tensor-parallel attention";

    private final CostModel cost;
    private final Architecture model;
    private final Hardware hardware;
    private final int devices;
    private final Workload work;

    Layouts(CostModel cost, Hardware hardware, int devices, Workload work) {
        this.cost = cost;
        this.model = cost.architecture();
        this.hardware = hardware;
        this.devices = devices;
        this.work = work;
    }

    /**
     * All layouts: those without tensor parallelism, in the order in which they are preferred if nothing else is known, then
     * those with it, smallest groups first. Smaller blocks for the head than need be are left out: they hold and read more.
     */
    List<Layout> all() {
        List<Layout> all = new ArrayList<>();
        ModelConfig config = model.config();
        if (devices == 1 || config == null) {
            all.add(layout(1, devices, 1));
        } else {
            int head = ParallelPlan.largestHead(devices, config);
            int output = ParallelPlan.largestOutput(devices, config);
            all.add(layout(1, head, 1));
            all.add(layout(1, 1, 1));
            IntStream.iterate(output, block -> block > 1, block -> block - 1)
                    .filter(block -> output % block == 0)
                    .forEach(block -> all.add(layout(1, head, block)));
            all.add(layout(1, 1, output));
            if (head < devices || output < devices) {
                all.add(layout(1, devices, devices)); // to say what is against it
            }
        }
        for (int t = 2; t <= devices; t++) {
            if (devices % t == 0) {
                all.add(layout(t, devices, 1));
            }
        }
        return all;
    }

    private Layout layout(int t, int head, int output) {
        double shared = bytes(g -> isShared(g, head, output)) / t;
        double dealt = bytes(g -> g.kind() == Kind.HASH_TABLE) / devices
                + (head > 1 ? bytes(g -> g.kind() == Kind.EMBEDDING || g.kind() == Kind.HEAD) / head : 0)
                + (output > 1 ? bytes(g -> g.kind() == Kind.OUTPUT_PROJECTIONS) / output : 0)
                + bytes(g -> g.kind() == Kind.ROUTED_EXPERTS) * expertShare(model, devices);
        double cache =
                (double) sequences(work.batch(), devices, t) * (cost.heldBytes(work.context()) + cost.tailBytes());
        Layout bare =
                new Layout(devices / t, t, devices, head, output, shared, dealt, cache, null, null, plannedOnly(t));
        return bare.parallelPlan().isPresent()
                ? judged(bare, bare.parallelPlan().get())
                : with(bare, null, obstacle(bare), bare.plannedOnly());
    }

    /** Whether every device, or its group, has all of a group of parameters. */
    private static boolean isShared(ParameterGroup g, int head, int output) {
        return switch (g.kind()) {
            case EMBEDDING, HEAD -> head == 1;
            case OUTPUT_PROJECTIONS -> output == 1;
            case HASH_TABLE, ROUTED_EXPERTS -> false;
            default -> true;
        };
    }

    private double bytes(Predicate<ParameterGroup> which) {
        return model.bytes(which);
    }

    private @Nullable String plannedOnly(int t) {
        if (model.config() == null) {
            return "Weft does not run " + model.family();
        }
        return t > 1 ? TENSOR_PARALLEL : null;
    }

    /** As the loader would judge it. */
    private Layout judged(Layout bare, ParallelPlan plan) {
        ModelConfig config = config();
        List<String> wrong = plan.obstacles(config);
        if (!wrong.isEmpty()) {
            return with(bare, null, String.join("; ", wrong), null);
        }
        if (work.context() > Integer.MAX_VALUE) {
            return with(bare, null, "Weft runs contexts of at most " + Integer.MAX_VALUE + " tokens", null);
        }
        boolean drafts = work.drafted() > 0 && config.numNextnPredictLayers() > 0 && !config.hasDsparkDrafter();
        try {
            RankMemory memory = cost.rankMemory(config);
            double held = memory.weightBytes(plan, drafts)
                    + (double) sequences(work.batch(), devices, 1) * memory.sequenceBytes((int) work.context(), drafts);
            return with(bare, held, tooMuch(held), null);
        } catch (WeftException e) {
            return with(bare, null, obstacle(bare), "Weft does not build it: " + e.getMessage());
        }
    }

    private ModelConfig config() {
        ModelConfig config = model.config();
        if (config == null) {
            throw new IllegalStateException(model.family() + " is not run");
        }
        return config;
    }

    private static Layout with(
            Layout l, @Nullable Double rankBytes, @Nullable String obstacle, @Nullable String plannedOnly) {
        return new Layout(
                l.dataParallel(),
                l.tensorParallel(),
                l.expertParallel(),
                l.head(),
                l.output(),
                l.sharedBytes(),
                l.dealtBytes(),
                l.cacheBytes(),
                rankBytes,
                obstacle,
                plannedOnly);
    }

    private @Nullable String obstacle(Layout l) {
        ModelConfig config = model.config();
        List<String> wrong =
                config == null ? List.of() : ParallelPlan.experts(devices).obstacles(config);
        if (!wrong.isEmpty()) {
            return String.join("; ", wrong);
        }
        if (devices > model.experts()) {
            return model.experts() + " experts cannot be dealt to " + devices + " devices";
        }
        if (model.splits() % l.tensorParallel() != 0) {
            return model.splits() + " " + model.splitName() + " cannot be dealt to " + l.tensorParallel() + " devices";
        }
        return tooMuch(l.heldBytes());
    }

    private @Nullable String tooMuch(double held) {
        return held > hardware.usableBytes()
                ? String.format(
                        Locale.ROOT, "needs %.1f GB of %.1f GB usable", held / 1e9, hardware.usableBytes() / 1e9)
                : null;
    }

    /** Sequences of the fullest group of {@code t} devices. */
    static long sequences(long batch, int devices, int t) {
        long groups = devices / t;
        return (batch + groups - 1) / groups;
    }

    /** Share of the experts on the fullest device. */
    static double expertShare(Architecture model, int devices) {
        return (double) ((model.experts() + devices - 1) / devices) / model.experts();
    }
}

package dev.weft.plan;

import dev.weft.RequestException;
import dev.weft.plan.ParameterGroup.Kind;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A model on devices of one kind: which layouts fit, and how long steps and prompts take at best. Numbers are those of the
 * fullest device: sequences and experts that cannot be dealt evenly are rounded up. Exchange between the devices of a
 * tensor-parallel group is not counted.
 */
public final class Deployment {
    /** Which experts the tokens of a step go to. */
    public enum Routing {
        /** Every token's experts are drawn anew: the roofline for uniform, independent routing. */
        INDEPENDENT,
        /** All tokens go to the same experts: no step can touch fewer. */
        SAME
    }

    private static final int MAX_DEVICES = 1 << 20;

    /** Bytes per lane of a token on its way to an expert and back: FP8 with a scale byte per 32 lanes, then BF16. */
    private static final double EXCHANGED_BYTES = 1 + 1.0 / 32 + 2;

    /** What is dealt out among all devices instead of being kept by every group. */
    private static final Set<Kind> DEALT = EnumSet.of(Kind.EMBEDDING, Kind.HEAD, Kind.HASH_TABLE, Kind.ROUTED_EXPERTS);

    /** Positions at which a prompt's cost is taken: enough for an error below 0.05 %. */
    private static final long PROMPT_SAMPLES = 64;

    private final CostModel cost;
    private final Architecture model;
    private final Hardware hardware;
    private final Peaks peaks;
    private final int devices;
    private final Workload work;

    /**
     * A deployment.
     *
     * @param peaks those of {@code hardware} to count with
     * @throws RequestException if the number of devices is not 1 to 2^20
     */
    public Deployment(CostModel cost, Hardware hardware, Peaks peaks, int devices, Workload work) {
        if (devices < 1 || devices > MAX_DEVICES) {
            throw new RequestException("devices: found " + devices + ", expected 1 to " + MAX_DEVICES);
        }
        this.cost = cost;
        this.model = cost.architecture();
        this.hardware = hardware;
        this.peaks = peaks;
        this.devices = devices;
        this.work = work;
    }

    /** Every way to divide the devices into groups, smallest groups first, with what stands against it. */
    public List<Layout> layouts() {
        List<Layout> all = new ArrayList<>();
        for (int t = 1; t <= devices; t++) {
            if (devices % t == 0) {
                all.add(layout(t));
            }
        }
        return all;
    }

    /** The layout with the smallest groups that can be used. */
    public Optional<Layout> best() {
        return layouts().stream().filter(Layout::fits).findFirst();
    }

    private Layout layout(int t) {
        double shared = model.bytes(g -> !DEALT.contains(g.kind())) / (double) t;
        double dealt = model.bytes(g -> DEALT.contains(g.kind()) && g.kind() != Kind.ROUTED_EXPERTS) / (double) devices
                + model.bytes(g -> g.kind() == Kind.ROUTED_EXPERTS) * expertShare();
        double cache = (double) sequences(t) * (cost.heldBytes(work.context()) + cost.tailBytes());
        return new Layout(devices / t, t, devices, shared, dealt, cache, obstacle(t, shared + dealt + cache));
    }

    private @Nullable String obstacle(int t, double held) {
        if (model.splits() % t != 0) {
            return model.splits() + " " + model.splitName() + " cannot be dealt to " + t + " devices";
        }
        if (devices > model.experts()) {
            return model.experts() + " experts cannot be dealt to " + devices + " devices";
        }
        if (held > hardware.usableBytes()) {
            return String.format(
                    Locale.ROOT, "needs %.1f GB of %.1f GB usable", held / 1e9, hardware.usableBytes() / 1e9);
        }
        return null;
    }

    /** Sequences of the fullest group. */
    private long sequences(int t) {
        long groups = devices / t;
        return (work.batch() + groups - 1) / groups;
    }

    /** Share of the experts on the fullest device. */
    private double expertShare() {
        return (double) ((model.experts() + devices - 1) / devices) / model.experts();
    }

    /** Experts per layer that the tokens of a step touch, on average. */
    public double touchedExperts(Routing routing) {
        double share = (double) model.activeExperts() / model.experts();
        return routing == Routing.SAME
                ? model.activeExperts()
                : model.experts() * (1 - Math.pow(1 - share, work.batch() * work.rows()));
    }

    /** Time of one decode step. */
    public StepTime step(Layout layout, Efficiency efficiency, Routing routing) {
        int t = layout.tensorParallel();
        double shared = model.bytes(g -> !g.mtp() && !DEALT.contains(g.kind())) / (double) t;
        double head = model.bytes(g -> !g.mtp() && g.kind() == Kind.HEAD) / (double) devices;
        double experts = model.bytes(g -> !g.mtp() && g.kind() == Kind.ROUTED_EXPERTS)
                * expertShare()
                * touchedExperts(routing)
                / model.experts();
        double cache = (double) sequences(t) * cost.readBytes(work.context());
        double rows = (double) sequences(t) * work.rows() / t; // of one device
        double exchanged = model.moeLayers() * rows * model.activeExperts() * model.hidden() * EXCHANGED_BYTES;
        return new StepTime(
                (shared + head + experts + cache) / peaks.memory() / efficiency.memory(),
                rows * cost.flops(work.context()).seconds(peaks, true) / efficiency.compute(),
                exchanged * (devices - 1) / devices / peaks.link(),
                model.layers() * efficiency.layerSeconds());
    }

    /** Seconds from one token of a sequence to its next. */
    public double secondsPerToken(StepTime step) {
        return step.seconds() / (1 + work.accepted());
    }

    /** Tokens per second of all sequences, divided by the devices. */
    public double tokensPerSecondAndDevice(StepTime step) {
        return work.batch() * (1 + work.accepted()) / step.seconds() / devices;
    }

    /**
     * Seconds that all devices together need for one prompt: the sum over its positions, taken in the middle of
     * {@value #PROMPT_SAMPLES} equal stretches.
     */
    public double firstTokenSeconds(Efficiency efficiency) {
        long samples = Math.min(PROMPT_SAMPLES, work.prompt());
        double stretch = (double) work.prompt() / samples;
        double seconds = 0;
        for (long i = 0; i < samples; i++) {
            long position = (long) (stretch * (i + 0.5) + 0.5);
            seconds += stretch * cost.flops(position).seconds(peaks, false);
        }
        return seconds / devices / efficiency.compute();
    }

    /** FLOPs per byte up to which sending a token to an expert hides behind the expert's products. */
    public double hiddenExchangeLimit() {
        return 2.0 * model.expertInner();
    }

    /** FLOPs that the devices compute while they send a byte. */
    public double flopsPerSentByte() {
        return peaks.rate(Arithmetic.FP8) / peaks.link();
    }
}

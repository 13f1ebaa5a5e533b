package dev.weft.plan;

import dev.weft.RequestException;
import dev.weft.model.config.ModelConfig;
import dev.weft.plan.ParameterGroup.Kind;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A model on devices of one kind: which layouts fit, and how long steps and prompts take at best. Numbers are those of the
 * fullest device: sequences and experts that cannot be dealt evenly are rounded up. Exchange between the devices of a
 * tensor-parallel group is not counted, nor that of embedding and head, once per step.
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

    /** Bytes per lane of quantised rows: FP8 with a byte of scale per 32 lanes. */
    private static final double CODE_BYTES = 1 + 1.0 / 32;

    /** Bytes per lane of a token on its way to an expert and back: quantised, then BF16. */
    private static final double EXCHANGED_BYTES = CODE_BYTES + Short.BYTES;

    /** What a step does not read whole on every device, or of which it reads a row. */
    private static final Set<Kind> READ_IN_PART =
            EnumSet.of(Kind.EMBEDDING, Kind.HEAD, Kind.HASH_TABLE, Kind.ROUTED_EXPERTS, Kind.OUTPUT_PROJECTIONS);

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

    /** Every way to lay the model over the devices, with what stands against it; see {@link LayoutRanking} for the order. */
    public List<Layout> layouts() {
        return new Layouts(cost, hardware, devices, work).all();
    }

    /** The layouts by rank as the calibrated line has it, each with why it was taken or not. */
    public List<RankedLayout> ranking() {
        return ranking(Efficiency.CALIBRATED);
    }

    /** The layouts by rank, each with why it was taken or not. @param efficiency whose times count */
    public List<RankedLayout> ranking(Efficiency efficiency) {
        return LayoutRanking.of(this, efficiency);
    }

    /** The layout to use. */
    public Optional<Layout> best() {
        return ranking().stream()
                .filter(RankedLayout::chosen)
                .map(RankedLayout::layout)
                .findFirst();
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
        double read = model.bytes(g -> !g.mtp() && !READ_IN_PART.contains(g.kind())) / (double) t
                + model.bytes(g -> !g.mtp() && g.kind() == Kind.OUTPUT_PROJECTIONS)
                        / (double) (layout.output() > 1 ? layout.output() : t)
                + model.bytes(g -> !g.mtp() && g.kind() == Kind.HEAD)
                        / (double) (layout.head() > 1 ? layout.head() : t);
        double experts = model.bytes(g -> !g.mtp() && g.kind() == Kind.ROUTED_EXPERTS)
                * Layouts.expertShare(model, devices)
                * touchedExperts(routing)
                / model.experts();
        long sequences = Layouts.sequences(work.batch(), devices, t);
        double cache = (double) sequences * cost.readBytes(work.context());
        double rows = (double) sequences * work.rows() / t; // of one device
        return new StepTime(
                (read + experts + cache) / peaks.memory() / efficiency.memory(),
                rows * cost.flops(work.context()).seconds(peaks, true) / efficiency.compute(),
                rows * (expertExchange() + outputExchange(layout.output())) / peaks.link(),
                model.layers() * efficiency.layerSeconds());
    }

    /** Bytes that a row sends to its experts and gets back, all layers together. */
    private double expertExchange() {
        return (double) model.moeLayers()
                * model.activeExperts()
                * model.hidden()
                * EXCHANGED_BYTES
                * (devices - 1)
                / devices;
    }

    /**
     * Bytes that a row sends for output projections that are spread over so many devices, all layers together: its heads to
     * the devices of their groups, BF16; the results back, BF16; those to every device, FP8 with scales; the rows of the
     * product back, BF16.
     */
    private double outputExchange(int block) {
        ModelConfig c = model.config();
        if (c == null) {
            return 0;
        }
        double heads = (double) c.numAttentionHeads() * c.headDim();
        double low = (double) c.oGroups() * c.oLoraRank();
        double others = block - 1.0;
        return model.layers()
                * (Short.BYTES * (heads + low + c.hiddenSize()) * others / block + CODE_BYTES * low * others);
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

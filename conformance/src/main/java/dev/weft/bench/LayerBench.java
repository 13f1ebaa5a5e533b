package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.model.LayerProbe;
import dev.weft.model.LayerStack;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.Placement;
import dev.weft.spi.Communicator;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Layers of true size on random weights, again and again with other rows, which go to other experts. Spread over ranks, each
 * has its share of the weights and sequences of its own; all ranks call the same methods, and every round begins when all have
 * come to it. Used by one thread.
 */
public final class LayerBench implements AutoCloseable {
    private final Device device;
    private final ModelConfig config;
    private final LayerStack stack;
    private final QuickWeights random;
    private final LayerProbe layer;
    private final ParallelPlan plan;
    private final @Nullable Communicator group;

    private LayerBench(
            Device device,
            ModelConfig config,
            LayerStack stack,
            QuickWeights random,
            LayerProbe layer,
            ParallelPlan plan,
            @Nullable Communicator group) {
        this.device = device;
        this.config = config;
        this.stack = stack;
        this.random = random;
        this.layer = layer;
        this.plan = plan;
        this.group = group;
    }

    /** The graph that {@link #load} would load. */
    public static Graph graph(ModelConfig model, LayerStack stack) {
        return LayerProbe.graph(byScore(model), stack);
    }

    /** Published models choose experts by token id in their first layers, which would always be the same here. */
    private static ModelConfig byScore(ModelConfig model) {
        return model.with("num_hash_layers", 0);
    }

    /**
     * Loads layers, or this rank's share of them. All their experts are chosen by score, whichever layers they are.
     *
     * @param stack the layers, and the rows of every rank; the rows measured are the last ones of its context
     * @param plan how the layers are spread over {@code group}
     * @param group the ranks, null for a device alone
     * @param progress receives the weight bytes loaded so far
     */
    public static LayerBench load(
            Device device,
            ModelConfig model,
            LayerStack stack,
            long seed,
            ParallelPlan plan,
            @Nullable Communicator group,
            LongConsumer progress) {
        ModelConfig config = byScore(model);
        QuickWeights random = new QuickWeights(seed + 1 + (group == null ? 0 : group.rank()));
        try (QuickWeights weights = new QuickWeights(seed)) {
            LayerProbe layer = LayerProbe.load(config, stack, device, weights, plan, group, progress);
            fill(layer, random);
            layer.rows(stack.context() - stack.tokens());
            return new LayerBench(device, config, stack, random, layer, plan, group);
        } catch (RuntimeException | Error e) {
            random.close();
            throw e;
        }
    }

    /** States as if there had been a text before. */
    private static void fill(LayerProbe layer, QuickWeights random) {
        for (Value state : layer.graph().values(Value.Kind.STATE)) {
            FilledStates.rows(layer.states(), state.name(), state.type(), random);
        }
    }

    /** Bytes of the layers' weights on the device. */
    public long weightBytes() {
        return layer.weightBytes();
    }

    /**
     * Bytes of weights on the device, of the rank that has most.
     *
     * @param experts routed experts
     * @param others everything else
     * @param expertsAlone routed experts on a device alone
     * @param othersAlone everything else there
     */
    public record Memory(long experts, long others, long expertsAlone, long othersAlone) {}

    /** What the layers take here, and what they would take without other ranks. */
    public Memory memory() {
        CompiledGraph mine = layer.compiled();
        CompiledGraph alone = group == null ? mine : device.compile(graph(config, stack));
        double[] most = group == null
                ? new double[] {bytes(mine, true), bytes(mine, false)}
                : RankValues.largest(group, bytes(mine, true), bytes(mine, false));
        return new Memory((long) most[0], (long) most[1], bytes(alone, true), bytes(alone, false));
    }

    private static long bytes(CompiledGraph graph, boolean experts) {
        return graph.weightBytes(name -> name.contains(".experts.") == experts);
    }

    /**
     * A step of all layers.
     *
     * @param result its time, of ranks that of the slowest one
     * @param floors seconds of the shortest times of all nodes, one after another, for weights and states that must come from
     *     memory; empty if the device measures no ceiling
     * @param host seconds that a step takes by the host's clock beyond those of the device's: its inputs are copied, it is
     *     launched, its end is noticed; empty if the device has no clock, or if the two clocks do not tell it
     * @param launches launches of the step; empty over ranks, and if the device does not count them
     */
    public record Whole(Result result, OptionalDouble floors, OptionalDouble host, OptionalInt launches) {}

    /** A whole step. @param progress receives the number of rounds done */
    public Whole whole(Rounds rounds, IntConsumer progress) {
        Rows rows = new Rows(rounds, layer::run) {
            @Override
            public long time() {
                return layer.time();
            }
        };
        EnumSet<HardwareLimit> units = EnumSet.of(HardwareLimit.BF16_DOT, HardwareLimit.F32_FMA);
        Series series = rounds.run(device, work(expected()).bytes(), units, rows, progress);
        String name = "layer "
                + stack.kinds().stream()
                        .map(kind -> kind.name().toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining(","));
        Span span = span(rows.experts());
        Result mine = series.result(name, GraphCost.of(layer.graph(), span));
        Result slowest =
                group == null ? mine : series.result(name, mine.work(), RankValues.largest(group, mine.seconds()));
        return new Whole(slowest, series.floors(GraphCost.ofNodes(layer.graph(), span)), host(rounds), launches(span));
    }

    /** Both clocks in turns, so that they see the device at the same speed. */
    private OptionalDouble host(Rounds rounds) {
        if (group != null || !device.hasClock()) {
            return OptionalDouble.empty();
        }
        double[] byHost = new double[rounds.count()];
        double[] byDevice = new double[byHost.length];
        for (int i = 0; i < byHost.length; i++) {
            long start = System.nanoTime();
            layer.run();
            byHost[i] = (System.nanoTime() - start) / 1e9;
            byDevice[i] = layer.time() / 1e9;
        }
        return beyond(byHost, byDevice);
    }

    /** Median of what the first take longer, round by round; empty if that is no time at all, and so not what was asked. */
    static OptionalDouble beyond(double[] longer, double[] shorter) {
        double[] differences = new double[longer.length];
        Arrays.setAll(differences, i -> longer[i] - shorter[i]);
        double median = Quantile.median(differences);
        return median > 0 ? OptionalDouble.of(median) : OptionalDouble.empty();
    }

    private OptionalInt launches(Span span) {
        if (group != null) {
            return OptionalInt.empty(); // rows that come from other ranks are known in the middle of a step
        }
        List<OptionalInt> ofNodes = layer.compiled().launches(span.extents());
        return ofNodes.stream().allMatch(OptionalInt::isPresent)
                ? OptionalInt.of(
                        ofNodes.stream().mapToInt(OptionalInt::getAsInt).sum())
                : OptionalInt.empty();
    }

    /**
     * A part of a step's time.
     *
     * @param result time of the slowest rank of every round; bytes and FLOPs are this rank's
     * @param least median time of the fastest rank
     * @param most median time of the slowest rank
     */
    public record Share(Result result, double least, double most) {}

    /**
     * What the time of a step goes to, from rounds in which the host waits after every node.
     *
     * @param progress receives the number of rounds done
     */
    public List<Share> parts(Rounds rounds, IntConsumer progress) {
        Graph graph = layer.graph();
        List<LayerPart> partOf = LayerPart.of(graph);
        double[][] seconds = new double[LayerPart.values().length][rounds.count()];
        long[] nanos = new long[graph.nodes().size()];
        long[] waits = new long[nanos.length];
        Rows rows = new Rows(rounds, () -> layer.profile(nanos, waits)) {
            @Override
            public void finish(int round) {
                super.finish(round);
                for (int i = 0; round >= rounds.warmUp() && i < nanos.length; i++) {
                    seconds[partOf.get(i).ordinal()][round - rounds.warmUp()] += nanos[i] / 1e9;
                    seconds[LayerPart.WAITING.ordinal()][round - rounds.warmUp()] += waits[i] / 1e9;
                }
            }
        };
        rounds.run(rows, progress);
        Span span = span(rows.experts());
        List<Share> parts = new ArrayList<>();
        for (LayerPart part : LayerPart.values()) {
            if (part != LayerPart.WAITING || group != null) {
                Work work = GraphCost.of(graph, span, node -> partOf.get(node.index()) == part);
                parts.add(share(part.key(), work, seconds[part.ordinal()]));
            }
        }
        return parts;
    }

    private Share share(String name, Work work, double[] mine) {
        double[][] all = group == null ? new double[][] {mine} : RankValues.all(group, mine);
        double[] medians =
                Arrays.stream(all).mapToDouble(Quantile::median).sorted().toArray();
        double[] slowest = group == null ? mine : RankValues.largest(group, mine);
        return new Share(new Result(name, work, slowest, Optional.empty()), medians[0], medians[medians.length - 1]);
    }

    /**
     * A node of the layer.
     *
     * @param op its operator
     * @param kernel the kernel that ran
     * @param result how long it took
     */
    public record Part(String op, String kernel, Result result) {}

    /**
     * Single nodes, each with what it needs when nothing is in a cache. By the host's clock their times contain some
     * microseconds of waiting, and their operands may come from a cache.
     *
     * @param wanted nodes to report
     * @param progress receives the number of rounds done
     */
    public List<Part> nodes(Rounds rounds, Predicate<Node> wanted, IntConsumer progress) {
        Graph graph = layer.graph();
        long[] nanos = new long[graph.nodes().size()];
        double[][] seconds = new double[nanos.length][rounds.count()];
        Rows rows = new Rows(rounds, () -> layer.profile(nanos, new long[nanos.length])) {
            @Override
            public void finish(int round) {
                super.finish(round);
                for (int i = 0; round >= rounds.warmUp() && i < nanos.length; i++) {
                    seconds[i][round - rounds.warmUp()] = Math.max(1, nanos[i]) / 1e9;
                }
            }
        };
        Series series = rounds.run(
                device,
                work(expected()).bytes(),
                EnumSet.of(HardwareLimit.BF16_DOT, HardwareLimit.F32_FMA),
                rows,
                progress);
        Span span = span(rows.experts());
        Placement placement = layer.compiled().placement();
        List<Work> ofKernels = Work.ofKernels(
                placement,
                graph.nodes().stream().map(n -> NodeCost.of(n, span).work()).toList());
        List<Part> parts = new ArrayList<>();
        for (Node node : graph.nodes()) {
            Placement.Row row = placement.rows().get(node.index());
            if (wanted.test(node) && !row.isJoined()) {
                Result result = series.result(GraphCost.name(node), ofKernels.get(node.index()), seconds[node.index()]);
                parts.add(new Part(node.op().name(), row.kernel(), result));
            }
        }
        return parts;
    }

    private int ranks() {
        return group == null ? 1 : group.size();
    }

    /** Experts of this rank that the rows of a step hit on average if they choose by chance. */
    private double expected() {
        int rows = ranks() * stack.rows();
        return Span.expectedExperts(config.nRoutedExperts(), config.numExpertsPerTok(), rows) / ranks();
    }

    private Work work(double experts) {
        return GraphCost.of(layer.graph(), span(experts));
    }

    private Span span(double experts) {
        Map<String, Long> extents =
                Span.ofRanks(layer.graph(), V4Graphs.extents(stack.rows(), stack.sequences(), 0), ranks());
        return new Span(stack.sequences(), stack.context() - stack.tokens(), stack.tokens(), experts, extents);
    }

    /** Different experts that the last rows of all ranks were sent to, and that this rank holds; mean of the layers. */
    private double expertsHit() {
        return layer.experts().stream().mapToLong(this::expertsHit).average().orElseThrow();
    }

    private long expertsHit(int[] chosen) {
        if (group == null) {
            return Arrays.stream(chosen).distinct().count();
        }
        double[][] all =
                RankValues.all(group, Arrays.stream(chosen).asDoubleStream().toArray());
        List<Integer> held = plan.table(config).ranks().get(group.rank());
        return Arrays.stream(all)
                .flatMapToDouble(Arrays::stream)
                .mapToInt(e -> (int) e)
                .distinct()
                .filter(held::contains)
                .count();
    }

    @Override
    public void close() {
        layer.close();
        random.close();
    }

    /** Other rows each round. */
    private class Rows implements Rounds.Trial {
        private final Rounds rounds;
        private final Runnable body;
        private double hits;

        Rows(Rounds rounds, Runnable body) {
            this.rounds = rounds;
            this.body = body;
        }

        @Override
        public void prepare(int round) {
            Value streams = layer.graph().values(Value.Kind.INPUT).getLast();
            layer.streams(random.values(streams.type(), stack.rows() * layer.streamBytes()));
            if (group != null) {
                group.barrier("round " + round);
            }
        }

        @Override
        public void run() {
            body.run();
        }

        @Override
        public void finish(int round) {
            hits += round < rounds.warmUp() ? 0 : expertsHit();
        }

        /** Different experts of a round, on average. */
        double experts() {
            return hits / rounds.count();
        }
    }
}

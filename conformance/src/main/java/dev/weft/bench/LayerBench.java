package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.model.LayerProbe;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import dev.weft.runtime.Placement;
import dev.weft.spi.HardwareLimit;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import java.util.function.Predicate;

/**
 * One layer of true size on random weights, again and again with other rows, which go to other experts. Used by one
 * thread.
 */
public final class LayerBench implements AutoCloseable {
    private final Device device;
    private final ModelConfig config;
    private final LayerKind kind;
    private final int context;
    private final int tokens;
    private final QuickWeights random;
    private final LayerProbe layer;

    private LayerBench(
            Device device,
            ModelConfig config,
            LayerKind kind,
            int context,
            int tokens,
            QuickWeights random,
            LayerProbe layer) {
        this.device = device;
        this.config = config;
        this.kind = kind;
        this.context = context;
        this.tokens = tokens;
        this.random = random;
        this.layer = layer;
    }

    /** The graph of a layer that {@link #load} would load. */
    public static Graph graph(ModelConfig model, LayerKind kind, int context, int tokens) {
        return LayerProbe.graph(byScore(model), kind, tokens, Math.addExact(context, tokens));
    }

    /** Published models choose experts by token id in their first layers, which would always be the same here. */
    private static ModelConfig byScore(ModelConfig model) {
        return model.with("num_hash_layers", 0);
    }

    /**
     * Loads a layer. All its experts are chosen by score, whichever layer it is.
     *
     * @param context tokens before those that are measured
     * @param tokens tokens of a step
     * @param progress receives the weight bytes loaded so far
     */
    public static LayerBench load(
            Device device,
            ModelConfig model,
            LayerKind kind,
            int context,
            int tokens,
            long seed,
            LongConsumer progress) {
        ModelConfig config = byScore(model);
        QuickWeights random = new QuickWeights(seed);
        try {
            LayerProbe layer =
                    LayerProbe.load(config, kind, tokens, Math.addExact(context, tokens), device, random, progress);
            fill(layer, random);
            layer.rows(context, tokens);
            return new LayerBench(device, config, kind, context, tokens, random, layer);
        } catch (RuntimeException | Error e) {
            random.close();
            throw e;
        }
    }

    /** States as if there had been a text before. */
    private static void fill(LayerProbe layer, QuickWeights random) {
        for (Value state : layer.graph().values(Value.Kind.STATE)) {
            long rows = state.type().shape().dim(0).maximum();
            long bytes = state.type().maxDataBytes() / rows;
            for (long row = 0; row < rows; row++) {
                layer.states().write(state.name(), row, random.values(state.type(), bytes));
            }
        }
    }

    /** Bytes of the layer's weights on the device. */
    public long weightBytes() {
        return layer.weightBytes();
    }

    /** The whole layer. @param progress receives the number of rounds done */
    public Result whole(Rounds rounds, IntConsumer progress) {
        Rows rows = new Rows(rounds, layer::run);
        Series series =
                rounds.run(device, work(expected()).bytes(), EnumSet.of(HardwareLimit.BF16_DOT), rows, progress);
        String name = "layer " + kind.name().toLowerCase(Locale.ROOT);
        return series.result(name, work(rows.experts()));
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
     * Single nodes, each with what it needs when nothing is in a cache. Their times contain some microseconds of waiting,
     * and their operands may come from a cache.
     *
     * @param wanted nodes to report
     * @param progress receives the number of rounds done
     */
    public List<Part> nodes(Rounds rounds, Predicate<Node> wanted, IntConsumer progress) {
        Graph graph = layer.graph();
        long[] nanos = new long[graph.nodes().size()];
        double[][] seconds = new double[nanos.length][rounds.count()];
        Rows rows = new Rows(rounds, () -> layer.profile(nanos)) {
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

    /** Experts that the rows of a step hit on average if they choose by chance. */
    private double expected() {
        return Span.expectedExperts(config.nRoutedExperts(), config.numExpertsPerTok(), tokens);
    }

    private Work work(double experts) {
        return GraphCost.of(layer.graph(), span(experts));
    }

    private Span span(double experts) {
        return new Span(1, context, tokens, experts, V4Graphs.extents(tokens, 1, 0));
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
            layer.streams(random.values(streams.type(), tokens * layer.streamBytes()));
        }

        @Override
        public void run() {
            body.run();
        }

        @Override
        public void finish(int round) {
            hits += round < rounds.warmUp() ? 0 : layer.expertsHit();
        }

        /** Different experts of a round, on average. */
        double experts() {
            return hits / rounds.count();
        }
    }
}

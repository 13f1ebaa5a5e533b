package dev.weft.model;

import dev.weft.DType;
import dev.weft.RequestException;
import dev.weft.graph.Graph;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.parallel.ShardedGraph;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RankGroups;
import dev.weft.runtime.StateStore;
import dev.weft.spi.Closing;
import dev.weft.spi.Communicator;
import dev.weft.spi.WeightSource;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Layers of a model by themselves, on weights from anywhere: residual streams in, residual streams out. Layers of a model that
 * no machine here could hold are measured this way. Used by one thread.
 */
public final class LayerProbe implements AutoCloseable {
    private final ModelConfig config;
    private final LayerStack stack;
    private final CompiledGraph compiled;
    private final DeviceWeights weights;
    private final StateStore states;
    private final Execution execution;
    private final List<AutoCloseable> opened;

    private LayerProbe(
            ModelConfig config,
            LayerStack stack,
            CompiledGraph compiled,
            DeviceWeights weights,
            StateStore states,
            Execution execution,
            List<AutoCloseable> opened) {
        this.config = config;
        this.stack = stack;
        this.compiled = compiled;
        this.weights = weights;
        this.states = states;
        this.execution = execution;
        this.opened = opened;
    }

    /**
     * The graph of layers whose experts are chosen by score, in BF16 flow.
     *
     * @throws RequestException if the model has no such layers
     */
    public static Graph graph(ModelConfig config, LayerStack stack) {
        return V4Graphs.layers(config, stack.options(), stack.layers(config));
    }

    /** Loads the layers of {@link #graph}. @param progress receives the weight bytes loaded so far */
    public static LayerProbe load(
            ModelConfig config, LayerStack stack, Device device, WeightSource source, LongConsumer progress) {
        return load(config, stack, device, source, ParallelPlan.ALONE, null, progress);
    }

    /**
     * Loads one rank's share of the layers. Every rank has sequences of its own and runs as often as the others.
     *
     * @param source whole weights, the same on all ranks
     * @param plan how the layers are spread over the ranks of {@code group}
     */
    public static LayerProbe load(
            ModelConfig config,
            LayerStack stack,
            Device device,
            WeightSource source,
            ParallelPlan plan,
            @Nullable Communicator group,
            LongConsumer progress) {
        ShardedGraph share = plan.share(graph(config, stack), config, group == null ? 0 : group.rank());
        List<AutoCloseable> opened = new ArrayList<>();
        try {
            CompileOptions compile = CompileOptions.DEFAULT;
            if (group != null) {
                RankGroups groups = RankGroups.split(group, plan.blocks());
                opened.addFirst(groups);
                compile = compile.withGroups(groups);
            }
            CompiledGraph compiled = device.compile(share.graph(), compile);
            DeviceWeights weights = compiled.loadWeights(share.weights(source), progress);
            opened.addFirst(weights);
            StateStore states = compiled.newStates();
            opened.addFirst(states);
            Execution execution = compiled.newExecution(weights, states);
            opened.addFirst(execution);
            return new LayerProbe(config, stack, compiled, weights, states, execution, opened);
        } catch (RuntimeException | Error e) {
            Closing.all(opened);
            throw e;
        }
    }

    /**
     * Says where the rows of the next runs are.
     *
     * @param position tokens of every sequence before them; their states are as they are
     */
    public void rows(int position) {
        V4Graphs.extents(stack.rows(), stack.sequences(), 0).forEach(execution::bind);
        V4Graphs.inputs(stack.options(), stack.sequences(), position, stack.tokens())
                .forEach(execution::set);
    }

    /** Residual streams of the rows, BF16 {@code [tokens, hcMult, hidden]}. */
    public void streams(MemorySegment values) {
        execution.set(V4Graphs.HIDDEN, values);
    }

    /** Bytes of the residual streams of one row. */
    public long streamBytes() {
        return DType.BF16.bytes((long) config.hcMult() * config.hiddenSize());
    }

    /** Computes the rows. */
    public void run() {
        execution.run();
    }

    /** Computes the rows. Returns how many nanoseconds that took, see {@link Execution#time}. */
    public long time() {
        return execution.time();
    }

    /** Computes the rows node by node; see {@link Execution#profile(long[], long[])}. */
    public void profile(long[] nanos, long[] waits) {
        execution.profile(nanos, waits);
    }

    /** Residual streams behind the layers, in BF16 like those before it. */
    public byte[] result() {
        byte[] bytes = new byte[Math.toIntExact(execution.outputBytes(V4Graphs.SUBLAYER_OUT))];
        execution.read(V4Graphs.SUBLAYER_OUT, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** The experts that the last run's rows were sent to, row by row, in every layer. */
    public List<int[]> experts() {
        return stack.layers(config).stream()
                .map(layer -> execution.ints(V4Graphs.experts(layer)))
                .toList();
    }

    /** The layers as a graph. */
    public Graph graph() {
        return compiled.graph();
    }

    /** The layers on their device. */
    public CompiledGraph compiled() {
        return compiled;
    }

    /** What the layers remember. */
    public StateStore states() {
        return states;
    }

    /** Bytes of the weights on the device. */
    public long weightBytes() {
        return weights.bytes();
    }

    @Override
    public void close() {
        Closing.all(opened);
    }
}

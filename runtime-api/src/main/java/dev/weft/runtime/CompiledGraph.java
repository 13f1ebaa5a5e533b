package dev.weft.runtime;

import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.LongConsumer;
import java.util.function.Predicate;

/**
 * A graph with kernels chosen and memory planned for one device. Immutable and shareable; each {@link Execution} runs it
 * independently. It owns nothing on the device: {@link DeviceWeights}, {@link StateStore} and {@link Execution} do, and
 * are closed by whoever created them, or by the device at the latest.
 */
public final class CompiledGraph {
    private final Device device;
    private final Graph graph;
    private final List<Step> steps;
    private final MemoryPlan plan;
    private final Placement placement;
    private final CompileOptions options;

    CompiledGraph(
            Device device,
            Graph graph,
            List<Step> steps,
            MemoryPlan plan,
            Placement placement,
            CompileOptions options) {
        this.device = device;
        this.graph = graph;
        this.steps = List.copyOf(steps);
        this.plan = plan;
        this.placement = placement;
        this.options = options;
    }

    /** The device. */
    public Device device() {
        return device;
    }

    /** The graph. */
    public Graph graph() {
        return graph;
    }

    /** Which node runs where. */
    public Placement placement() {
        return placement;
    }

    /**
     * Bytes on the device that the graph cannot do without: values, workspace, states, and the weights that its kernels do
     * not read on demand.
     */
    public long residentBytes() {
        return residentBytes(List.of(this));
    }

    /** The same for several graphs of one device, each with states of its own, which share weights of the same names. */
    public static long residentBytes(List<CompiledGraph> graphs) {
        Map<String, Long> weights = new HashMap<>();
        long others = 0;
        for (CompiledGraph g : graphs) {
            g.addResident(weights);
            others += g.placement.valueBytes() + g.placement.workspaceBytes() + g.placement.stateBytes();
        }
        return others + weights.values().stream().mapToLong(b -> b).sum();
    }

    private void addResident(Map<String, Long> weights) {
        boolean all = options.weights() == WeightRoute.PACKED;
        for (Step s : steps) {
            for (Step.Operand o : s.operands()) {
                Value v = o.value();
                if (isWeight(v) && (all || paging(device.spi(), s, o).isEmpty())) {
                    weights.put(v.name(), MemoryPlan.storageBytes(v.type()));
                }
            }
        }
    }

    /** Bytes on the device of the weights with such names, if they are loaded whole, in the layouts that the kernels want. */
    public long weightBytes(Predicate<String> names) {
        return WeightPlan.bytes(this, names);
    }

    /**
     * Launches on the device that each node takes in a step, in the order of {@link Placement#rows}; those of a kernel that
     * computes several nodes are told of the last, the others have none. Empty for nodes on the host and where the device
     * does not count.
     *
     * @param dims an extent for every named dimension of the graph
     * @throws dev.weft.GraphException if a dimension is missing, unknown or out of its bounds
     */
    public List<OptionalInt> launches(Map<String, Long> dims) {
        try (Arena arena = Arena.ofConfined()) {
            Extents extents = new Extents(graph);
            List<KernelArguments> arguments = new ArrayList<>();
            for (Step step : steps) {
                KernelArguments a = new KernelArguments(step.types(), arena);
                extents.follow(step.types(), a);
                arguments.add(a);
            }
            dims.forEach((name, extent) -> {
                extents.check(name, extent);
                extents.bind(name, extent);
            });
            extents.requireAll();
            OptionalInt[] launches = new OptionalInt[graph.nodes().size()];
            for (int i = 0; i < steps.size(); i++) {
                Step step = steps.get(i);
                Kernel kernel = step.kernel();
                OptionalInt n = kernel == null ? OptionalInt.empty() : kernel.launches(arguments.get(i));
                step.nodes().forEach(node -> launches[node.index()] = n.isEmpty() ? n : OptionalInt.of(0));
                launches[step.last().index()] = n;
            }
            return List.of(launches);
        }
    }

    List<Step> steps() {
        return steps;
    }

    MemoryPlan plan() {
        return plan;
    }

    CompileOptions options() {
        return options;
    }

    /** Loads the weights in the layouts that this graph's kernels want. */
    public DeviceWeights loadWeights(WeightSource source) {
        return loadWeights(source, bytes -> {});
    }

    /** Loads the weights. @param progress receives the bytes loaded so far after every weight */
    public DeviceWeights loadWeights(WeightSource source, LongConsumer progress) {
        return loadWeights(List.of(this), source, progress);
    }

    /** Loads the weights of several graphs compiled for one device, once each. */
    public static DeviceWeights loadWeights(List<CompiledGraph> graphs, WeightSource source, LongConsumer progress) {
        Device device = graphs.getFirst().device();
        return device.using(() -> DeviceWeights.load(graphs, source, progress));
    }

    /** New states, all bytes zero. */
    public StateStore newStates() {
        return device.using(() -> StateStore.allocate(device, graph));
    }

    /** A way to run the graph with these weights and states; used by one thread at a time. */
    public Execution newExecution(DeviceWeights weights, StateStore states) {
        return device.using(() -> Execution.create(this, weights, states));
    }

    /** The layout in which a step reads a weight; empty for row-major. */
    static Optional<WeightLayout.Packing> packing(BackendDevice device, Step step, Step.Operand operand) {
        return step.kernel() != null && device instanceof WeightLayout layout
                ? layout.packing(operand.instance(), operand.index())
                : Optional.empty();
    }

    /** How a step can read a weight on demand; empty if only whole. */
    static Optional<WeightLayout.Paging> paging(BackendDevice device, Step step, Step.Operand operand) {
        return step.kernel() != null && device instanceof WeightLayout layout
                ? layout.paging(operand.instance(), operand.index())
                : Optional.empty();
    }

    /** Whether a value of the graph is loaded rather than computed. */
    static boolean isWeight(Value v) {
        return v.kind() == Value.Kind.WEIGHT;
    }
}

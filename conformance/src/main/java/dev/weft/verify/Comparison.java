package dev.weft.verify;

import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.Dim;
import dev.weft.RequestException;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.bench.QuickWeights;
import dev.weft.bench.Rounds;
import dev.weft.bench.StepBench;
import dev.weft.bench.Work;
import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Holds devices against a reference on any graph, as {@link ModelComparison} does on a model: node by node on the
 * reference's operands, then whole, and in time where the device is hardware.
 *
 * <pre>{@code
 * ModeReport report = Comparison.of(graph).reference(cpu).candidates(weft.devices()).randomInputs(42).run();
 * }</pre>
 *
 * <p>Used by one thread.
 */
public final class Comparison {
    /** Name of the only step. */
    public static final String STEP = "run";

    private final Graph graph;
    private final Map<String, Long> extents = new LinkedHashMap<>();
    private final Map<String, MemorySegment> inputs = new LinkedHashMap<>();
    private final Map<String, MemorySegment> states = new LinkedHashMap<>();
    private final Map<DeviceId, Device> candidates = new LinkedHashMap<>();
    private final List<DeviceRun> absent = new ArrayList<>();
    private Rounds rounds = new Rounds(7, 2);
    private @Nullable Device reference;
    private @Nullable WeightSource weights;
    private @Nullable Long seed;

    private Comparison(Graph graph) {
        this.graph = graph;
        for (Dim dim : graph.dims().values()) {
            extents.put(dim.name(), dim.maximum());
        }
    }

    /** A comparison on a graph. Named dimensions have their largest extents unless {@link #bind} says otherwise. */
    public static Comparison of(Graph graph) {
        return new Comparison(graph);
    }

    /** The device that is taken to be right. */
    public Comparison reference(Device device) {
        reference = device;
        return this;
    }

    /** Adds devices to be held against the reference, which is left out itself. */
    public Comparison candidates(Iterable<Device> devices) {
        devices.forEach(d -> candidates.put(d.id(), d));
        return this;
    }

    /** Adds a device that was asked for and is not there. @param reason for the report */
    public Comparison absent(DeviceId device, String reason) {
        absent.add(DeviceRun.without(device, Optional.empty(), reason));
        return this;
    }

    /** The extent of a named dimension. */
    public Comparison bind(String dim, long extent) {
        extents.put(dim, extent);
        return this;
    }

    /** Draws what is not given from a seed: inputs of float formats, and the weights. States begin as zero. */
    public Comparison randomInputs(long seed) {
        this.seed = seed;
        return this;
    }

    /** An input in its own format. */
    public Comparison input(String name, MemorySegment data) {
        inputs.put(name, data);
        return this;
    }

    /** What a state holds before, in its own format. */
    public Comparison state(String name, MemorySegment data) {
        states.put(name, data);
        return this;
    }

    /** Where the weights come from. */
    public Comparison weights(WeightSource source) {
        weights = source;
        return this;
    }

    /** How often it is timed; 7 times after two that do not count unless said otherwise. */
    public Comparison rounds(Rounds rounds) {
        this.rounds = rounds;
        return this;
    }

    /**
     * Runs it.
     *
     * @throws RequestException if there is no reference, or something is neither given nor can be drawn
     * @throws UnsupportedOpException if the reference has no kernel for a node; what other devices cannot do is in the
     *     report
     */
    public ModeReport run() {
        Device against = reference;
        if (against == null) {
            throw new RequestException(
                    "comparison on " + graph.name() + ": found no reference, expected a device; call reference(...)");
        }
        Map<DeviceId, Device> others = new LinkedHashMap<>(candidates);
        others.remove(against.id());
        try (Arena arena = Arena.ofShared()) {
            Map<String, MemorySegment> given = given(arena);
            Map<DeviceId, BackendDevice> walked = new LinkedHashMap<>();
            others.forEach((id, device) -> walked.put(id, device.spi()));
            List<NodeReport> nodes;
            try (Weights source = new Weights()) {
                NodeWalk walk = new NodeWalk(graph, source, against.spi(), walked);
                states.forEach(walk::state);
                nodes = walk.run(STEP, extents, given);
            }
            List<float[]> expected = new ArrayList<>();
            DeviceRun first = whole(against, given, expected, true);
            List<DeviceRun> runs = new ArrayList<>();
            others.forEach((id, device) -> runs.add(tried(device, given, expected)));
            runs.addAll(absent);
            return new ModeReport(
                    graph.name(), Optional.empty(), first, runs, nodes, Map.of(STEP, StepBench.work(graph, extents)));
        }
    }

    /** The same weights at every use: those given, or the ones of the seed, drawn anew in the same order. */
    private final class Weights implements WeightSource, AutoCloseable {
        private final Map<String, QuickWeights> drawn = new LinkedHashMap<>();

        @Override
        public WeightData weight(String name, TensorType type) {
            if (weights != null) {
                return weights.weight(name, type);
            }
            return drawn.computeIfAbsent(name, n -> new QuickWeights(seedOf("weight", n)))
                    .weight(name, type);
        }

        @Override
        public void close() {
            drawn.values().forEach(QuickWeights::close);
        }
    }

    private long seedOf(String kind, String name) {
        if (seed == null) {
            throw new RequestException("comparison on " + graph.name() + ": found nothing for " + kind + " '" + name
                    + "', expected its contents; give them, or call randomInputs(seed)");
        }
        return seed + name.hashCode();
    }

    private Map<String, MemorySegment> given(Arena arena) {
        Map<String, MemorySegment> all = new LinkedHashMap<>(inputs);
        for (Value input : graph.values(Value.Kind.INPUT)) {
            if (all.containsKey(input.name())) {
                continue;
            }
            if (!input.type().dtype().isFloat()) {
                throw new RequestException("comparison on " + graph.name() + ": found nothing for input '" + input
                        + "', expected its contents: which integers are legal depends on the operators; give them with"
                        + " input(name, data)");
            }
            TensorType type = input.type().bind(extents::get);
            try (QuickWeights random = new QuickWeights(seedOf("input", input.name()))) {
                MemorySegment bytes =
                        arena.allocate(Math.max(1, type.maxDataBytes()), 64).asSlice(0, type.maxDataBytes());
                bytes.copyFrom(random.values(type, type.maxDataBytes()));
                all.put(input.name(), bytes);
            }
        }
        return all;
    }

    private DeviceRun tried(Device device, Map<String, MemorySegment> given, List<float[]> expected) {
        try {
            return whole(device, given, expected, false);
        } catch (UnsupportedOpException | DeviceMemoryException e) {
            DeviceRun.Machine machine = DeviceRun.Machine.of(device);
            return DeviceRun.without(device.id(), Optional.of(machine), String.valueOf(e.getMessage()));
        }
    }

    /** @param expected the reference's outputs; filled in by the reference itself */
    private DeviceRun whole(
            Device device, Map<String, MemorySegment> given, List<float[]> expected, boolean isReference) {
        CompiledGraph compiled = device.compile(graph, CompileOptions.DEFAULT.withoutFusion());
        try (Weights source = new Weights();
                DeviceWeights loaded = compiled.loadWeights(source);
                StateStore store = compiled.newStates();
                Execution execution = compiled.newExecution(loaded, store)) {
            states.forEach((name, data) -> store.write(name, 0, data));
            graph.dims().keySet().forEach(dim -> execution.bind(dim, extents.get(dim)));
            given.forEach(execution::set);
            execution.run();
            List<float[]> found = new ArrayList<>();
            graph.outputs().keySet().forEach(output -> rows(execution, output, found));
            if (isReference) {
                expected.addAll(found);
            }
            Map<String, StepBench> times = device.info().tier().equals(DeviceRun.HARDWARE)
                    ? Map.of(
                            STEP, StepBench.of(execution, device, graph, sum(), StepBench.work(graph, extents), rounds))
                    : Map.of();
            return new DeviceRun(
                    device.id(),
                    Optional.of(DeviceRun.Machine.of(device)),
                    Optional.empty(),
                    Optional.of(EndToEnd.of(expected, found)),
                    Optional.of(compiled.placement()),
                    times);
        }
    }

    private Work sum() {
        return StepBench.work(graph, extents).stream().reduce(new Work(0, 0, HardwareLimit.BF16_DOT), Work::plus);
    }

    private static void rows(Execution execution, String output, List<float[]> to) {
        TensorType type = execution.outputType(output);
        float[] all = new float[Math.toIntExact(type.maxElements())];
        if (type.dtype().isFloat()) {
            execution.floats(output, all);
        } else {
            int[] ints = execution.ints(output);
            for (int i = 0; i < all.length; i++) {
                all[i] = ints[i];
            }
        }
        int width = type.shape().rank() == 0
                ? 1
                : Math.toIntExact(type.shape().last().maximum());
        for (int from = 0; from < all.length; from += width) {
            to.add(Arrays.copyOfRange(all, from, from + width));
        }
    }
}

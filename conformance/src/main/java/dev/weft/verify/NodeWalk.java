package dev.weft.verify;

import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.conformance.DeviceCall;
import dev.weft.conformance.HostTensor;
import dev.weft.conformance.OpRunner;
import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Support;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Walks a graph on a reference device and runs every node by itself on other devices, fed with the reference's operands,
 * states included: errors do not pile up, and the first node that is wrong is the one to look at. Weights are read when
 * their node runs, so a device needs room for one node only. States begin as zero and stay from step to step. Used by one
 * thread.
 */
public final class NodeWalk {
    private final Graph graph;
    private final WeightSource weights;
    private final BackendDevice reference;
    private final Map<DeviceId, BackendDevice> devices;
    /** By the id of the value that owns the storage. */
    private final Map<Integer, HostTensor> states = new HashMap<>();

    /** @param devices those to be held against the reference; they stay open */
    public NodeWalk(Graph graph, WeightSource weights, BackendDevice reference, Map<DeviceId, BackendDevice> devices) {
        this.graph = graph;
        this.weights = weights;
        this.reference = reference;
        this.devices = new LinkedHashMap<>(devices);
        for (Value state : graph.values(Value.Kind.STATE)) {
            states.put(state.id(), zeros(state.type()));
        }
    }

    @SuppressWarnings("MustBeClosedChecker") // tensors live as long as a later node may read them
    private static HostTensor zeros(TensorType type) {
        HostTensor t = HostTensor.of(type, Arena.ofAuto());
        t.data().fill((byte) 0);
        return t;
    }

    /** Sets what a state holds before the next step. @throws GraphException if it is of another size */
    public void state(String name, MemorySegment data) {
        Value state = graph.values(Value.Kind.STATE).stream()
                .filter(v -> v.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new GraphException(
                        "state '" + name + "': graph " + graph.name() + " has only " + graph.values(Value.Kind.STATE)));
        states.put(state.id(), input(state, Map.of(), data));
    }

    /**
     * Runs one step.
     *
     * @param name of the step, for the reports
     * @param extents of the graph's named dimensions
     * @param inputs of the graph, each in its own format
     * @throws UnsupportedOpException if the reference has no kernel for a node
     * @throws GraphException if an input is missing or of another size
     */
    public List<NodeReport> run(String name, Map<String, Long> extents, Map<String, MemorySegment> inputs) {
        Map<Integer, HostTensor> storage = new HashMap<>(states);
        for (Value input : graph.values(Value.Kind.INPUT)) {
            storage.put(input.id(), input(input, extents, inputs.get(input.name())));
        }
        Map<Integer, Integer> lastUse = lastUses();
        List<NodeReport> reports = new ArrayList<>();
        for (Node node : graph.nodes()) {
            reports.add(new NodeReport(name, node, step(node, extents, storage)));
            storage.keySet().removeIf(root -> lastUse.getOrDefault(root, -1) <= node.index());
        }
        return reports;
    }

    @SuppressWarnings("MustBeClosedChecker") // as above
    private static HostTensor input(Value input, Map<String, Long> extents, @Nullable MemorySegment given) {
        HostTensor t = HostTensor.of(input.type().bind(extents::get), Arena.ofAuto());
        if (given == null || given.byteSize() != t.data().byteSize()) {
            throw new GraphException(input.kind().name().toLowerCase(Locale.ROOT) + " '" + input.name() + "': found "
                    + (given == null ? "nothing" : given.byteSize() + " bytes") + ", expected "
                    + t.data().byteSize() + " bytes for " + t.type());
        }
        t.data().copyFrom(given);
        return t;
    }

    /** Index of the last node that reads a storage. */
    private Map<Integer, Integer> lastUses() {
        Map<Integer, Integer> last = new HashMap<>();
        graph.nodes().forEach(n -> n.inputs().forEach(v -> last.put(v.root(), n.index())));
        return last;
    }

    private Map<DeviceId, NodeOutcome> step(Node node, Map<String, Long> extents, Map<Integer, HostTensor> storage) {
        OpInstance op = node.instance();
        List<HostTensor> operands = new ArrayList<>();
        for (Value v : node.inputs()) {
            operands.add(
                    v.kind() == Value.Kind.WEIGHT
                            ? weight(v)
                            : storage.get(v.root()).seenAs(v.type().bind(extents::get)));
        }
        if (reference.supports(op) instanceof Support.Unsupported u) {
            throw new UnsupportedOpException(node.label() + " " + op + ": the reference "
                    + reference.info().id() + " has no kernel: " + u.reason() + "; choose another reference");
        }
        List<HostTensor> expected = results(node, operands, extents);
        try (DeviceCall call = new DeviceCall(reference, op)) {
            call.run(operands, expected);
        }
        Map<DeviceId, NodeOutcome> outcomes = new LinkedHashMap<>();
        devices.forEach((id, device) ->
                outcomes.put(id, outcome(device, op, operands, expected, results(node, operands, extents))));
        for (int i = 0; i < expected.size(); i++) {
            Value v = node.outputs().get(i);
            (v.isState() ? states : storage).put(v.root(), expected.get(i));
            storage.put(v.root(), expected.get(i));
        }
        return outcomes;
    }

    @SuppressWarnings("MustBeClosedChecker") // as above
    private HostTensor weight(Value v) {
        WeightData data = weights.weight(v.name(), v.type());
        HostTensor t = HostTensor.of(v.type(), Arena.ofAuto());
        data.readData(0, t.data());
        data.readScale(0, t.scales());
        return t;
    }

    /** Results before a run: poison, or a copy of the state that is updated. */
    @SuppressWarnings("MustBeClosedChecker") // as above
    private static List<HostTensor> results(Node node, List<HostTensor> operands, Map<String, Long> extents) {
        List<HostTensor> results = new ArrayList<>();
        for (int i = 0; i < node.outputs().size(); i++) {
            int updated = node.op().updates(i);
            results.add(
                    updated >= 0
                            ? operands.get(updated).copy(Arena.ofAuto())
                            : HostTensor.of(node.outputs().get(i).type().bind(extents::get), Arena.ofAuto()));
        }
        return results;
    }

    private static NodeOutcome outcome(
            BackendDevice device,
            OpInstance op,
            List<HostTensor> operands,
            List<HostTensor> expected,
            List<HostTensor> found) {
        Support support = device.supports(op);
        if (support instanceof Support.Unsupported u) {
            return new NodeOutcome.Unsupported(u.reason());
        }
        String note = support instanceof Support.Emulated e ? "emulated: " + e.note() : "";
        try (DeviceCall call = new DeviceCall(device, op)) {
            call.run(operands, found);
            Optional<String> violation = OpRunner.violation(op, operands, expected, found);
            return new NodeOutcome.Compared(
                    call.kernel(), note, worst(op, operands, expected, found, violation.isPresent()), violation);
        } catch (DeviceLostException e) {
            throw e;
        } catch (RuntimeException e) {
            return new NodeOutcome.Failed(String.valueOf(e.getMessage()));
        }
    }

    private static Difference worst(
            OpInstance op,
            List<HostTensor> operands,
            List<HostTensor> expected,
            List<HostTensor> found,
            boolean broken) {
        List<Difference> all = new ArrayList<>();
        for (int i = 0; i < expected.size(); i++) {
            int updated = op.op().updates(i);
            all.add(Difference.of(
                    OpRunner.resultName(op, i),
                    expected.get(i),
                    found.get(i),
                    updated < 0 ? null : operands.get(updated),
                    OpRunner.tolerance(op, i),
                    broken));
        }
        Comparator<Difference> byError = Comparator.comparingDouble(Difference::nmse);
        return broken
                ? all.stream().max(byError).orElseThrow()
                : all.stream()
                        .max(Comparator.comparingDouble(Difference::share).thenComparing(byError))
                        .orElseThrow();
    }
}

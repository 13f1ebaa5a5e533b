package dev.weft.verify;

import dev.weft.DeviceId;
import dev.weft.bench.Work;
import dev.weft.graph.Node;
import dev.weft.model.NumericMode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * One graph on several devices: a model in one numeric mode, or any other.
 *
 * @param graph its name
 * @param mode the numeric mode of a model; empty for other graphs, whose formats are their own
 * @param reference the device that the others are held against
 * @param devices the others, in the order asked for
 * @param nodes every node of every step, in order
 * @param work what every node of a step has to do, by step, in the graph's order
 */
public record ModeReport(
        String graph,
        Optional<NumericMode> mode,
        DeviceRun reference,
        List<DeviceRun> devices,
        List<NodeReport> nodes,
        Map<String, List<Work>> work) {
    public ModeReport {
        devices = List.copyOf(devices);
        nodes = List.copyOf(nodes);
        work = Collections.unmodifiableMap(new LinkedHashMap<>(work));
    }

    /** The first node that broke its contract on a device. */
    public Optional<NodeReport> firstWrong(DeviceId device) {
        return nodes.stream()
                .filter(n -> n.outcomes().containsKey(device))
                .filter(n -> n.outcomes().get(device).isWrong())
                .findFirst();
    }

    /** Nodes with such an outcome on a device, each step counted. */
    public long count(DeviceId device, Predicate<NodeOutcome> what) {
        return nodes.stream()
                .map(n -> n.outcomes().get(device))
                .filter(o -> o != null && what.test(o))
                .count();
    }

    /** The nodes of a step in the graph's order. */
    public List<Node> nodesOf(String step) {
        return nodes.stream()
                .filter(n -> n.step().equals(step))
                .map(NodeReport::node)
                .toList();
    }

    /** Work of a node in its step. */
    public Work work(NodeReport node) {
        return work.get(node.step()).get(node.node().index());
    }

    /** The report as text: a line per device, then one per node and device. */
    public String table() {
        return ReportTable.of(this);
    }

    /** Whether every device ran the whole graph and every node on it kept its contract. */
    public boolean passed() {
        return devices.stream()
                .allMatch(d -> d.problem().isEmpty() && count(d.id(), NodeOutcome::isRight) == nodes.size());
    }
}

package dev.weft.runtime;

import static java.util.Objects.requireNonNull;

import dev.weft.UnsupportedOpException;
import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.Collective;
import dev.weft.op.OpInstance;
import dev.weft.reference.Reference;
import dev.weft.spi.Communicator;
import dev.weft.spi.Fusing;
import dev.weft.spi.Kernel;
import dev.weft.spi.Support;
import dev.weft.spi.WeightLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks the device about every node, reports all refusals at once, and plans memory. */
final class Compiler {
    private static final Logger LOG = LoggerFactory.getLogger(Compiler.class);

    private final Device device;
    private final Graph graph;
    private final CompileOptions options;
    private final List<Step> steps = new ArrayList<>();
    private final List<Placement.Row> rows = new ArrayList<>();
    private final List<String> refusals = new ArrayList<>();
    private String firstFallback = "";

    private Compiler(Device device, Graph graph, CompileOptions options) {
        this.device = device;
        this.graph = graph;
        this.options = options;
    }

    static CompiledGraph compile(Device device, Graph graph, CompileOptions options) {
        CompileEvent event = new CompileEvent();
        event.begin();
        event.graph = graph.name();
        event.device = device.label();
        try {
            Compiler c = new Compiler(device, graph, options);
            graph.nodes().forEach(c::place);
            CompiledGraph compiled = c.finish();
            report(event, compiled.placement());
            return compiled;
        } finally {
            event.commit();
        }
    }

    private static void report(CompileEvent event, Placement placement) {
        event.nodes = placement.rows().size();
        event.onHost = (int) placement.hostNodes();
        event.weightBytes = placement.weightBytes();
        event.valueBytes = placement.valueBytes() + placement.workspaceBytes();
        event.stateBytes = placement.stateBytes();
        if (LOG.isDebugEnabled()) {
            LOG.debug("{}", placement.summary());
        }
    }

    private void place(Node node) {
        OpInstance instance = node.instance();
        if (node.op() instanceof Collective c && (c.ranks() > 1 || options.groups() != null)) {
            placeCollective(node, instance, c, options.groups());
            return;
        }
        Optional<String> computed = computedButPacked(node, instance);
        switch (computed.<Support>map(Support.Unsupported::new)
                .orElseGet(() -> device.spi().supports(instance))) {
            case Support.Native n -> add(node, instance, "");
            case Support.Emulated e -> add(node, instance, "emulated: " + e.note());
            case Support.Unsupported u -> refuse(node, instance, u.reason());
        }
    }

    private void placeCollective(Node node, OpInstance instance, Collective c, @Nullable RankGroups groups) {
        Communicator group = groups == null ? null : groups.of(c.ranks()).orElse(null);
        if (group == null) {
            refusals.add(node.label() + " " + instance + ": a collective of " + c.ranks() + " ranks: found "
                    + (groups == null ? "no group" : groups)
                    + "; compile with CompileOptions.withGroup of as many ranks, or withGroups of blocks of as many");
            return;
        }
        steps.add(Step.of(node, instance, null, true));
        String name = "collective/" + node.op().name();
        rows.add(new Placement.Row(
                node.index(), node.label(), name, false, group.size() + " ranks over " + group.transport()));
    }

    /** Only weights are packed: a kernel that reads an operand packed cannot take a computed one. */
    private Optional<String> computedButPacked(Node node, OpInstance instance) {
        if (!(device.spi() instanceof WeightLayout layout)
                || !device.spi().supports(instance).isSupported()) {
            return Optional.empty();
        }
        for (int i = 0; i < node.inputs().size(); i++) {
            Value v = node.inputs().get(i);
            var packing = CompiledGraph.isWeight(v) ? Optional.empty() : layout.packing(instance, i);
            if (packing.isPresent()) {
                return Optional.of("operand " + node.op().operands().get(i) + " '" + v + "' is read in a packed layout"
                        + " and must be a weight: found " + v.kind());
            }
        }
        return Optional.empty();
    }

    private void refuse(Node node, OpInstance instance, String reason) {
        var onHost = Reference.unsupported(instance);
        if (options.hostFallback() && onHost.isEmpty()) {
            steps.add(Step.of(node, instance, null, false));
            rows.add(new Placement.Row(node.index(), node.label(), "host/reference", true, reason));
            firstFallback = firstFallback.isEmpty() ? node.label() + ": " + reason : firstFallback;
        } else {
            String host =
                    onHost.map(r -> "; host fallback would not help: " + r).orElse("; host fallback would run it");
            refusals.add(node.label() + " " + instance + ": " + reason + host);
        }
    }

    private void add(Node node, OpInstance instance, String note) {
        Kernel kernel = device.spi().prepare(instance);
        steps.add(Step.of(node, instance, kernel, false));
        rows.add(new Placement.Row(node.index(), node.label(), kernel.name(), false, note));
    }

    private CompiledGraph finish() {
        if (!refusals.isEmpty()) {
            throw new UnsupportedOpException("graph " + graph.name() + " on " + device.id() + ": " + refusals.size()
                    + " of " + graph.nodes().size() + " nodes have no kernel:\n  " + String.join("\n  ", refusals));
        }
        long onHost = rows.stream().filter(Placement.Row::onHost).count();
        if (onHost > 0) {
            LOG.warn(
                    "graph {} on {}: {} of {} nodes fall back to the host and copy their operands both ways; first: {}",
                    graph.name(),
                    device.id(),
                    onHost,
                    rows.size(),
                    firstFallback);
        }
        List<Step> fused = options.fusion() && device.spi() instanceof Fusing fusing
                ? new Fuser(fusing, graph, steps).fuse()
                : steps;
        fused.stream().filter(s -> s.nodes().size() > 1).forEach(this::joinRows);
        MemoryPlan plan = MemoryPlan.of(graph, fused);
        long weights = graph.values(Value.Kind.WEIGHT).stream()
                .mapToLong(v -> v.type().maxDataBytes() + v.type().maxScaleBytes())
                .sum();
        long states = graph.values(Value.Kind.STATE).stream()
                .mapToLong(v -> StateStore.storageBytes(device, v))
                .sum();
        Placement placement = new Placement(
                graph.name(),
                device.id() + " (" + device.info().description() + ")",
                rows,
                weights,
                plan.valueBytes(),
                plan.workspaceBytes(),
                states);
        return new CompiledGraph(device, graph, fused, plan, placement, options);
    }

    /** The rows of nodes that one kernel computes. */
    private void joinRows(Step step) {
        int last = step.last().index();
        String kernel = requireNonNull(step.kernel()).name();
        for (Node n : step.nodes()) {
            Placement.Row r = rows.get(n.index());
            rows.set(n.index(), new Placement.Row(r.index(), r.node(), kernel, false, r.note(), last));
        }
    }
}

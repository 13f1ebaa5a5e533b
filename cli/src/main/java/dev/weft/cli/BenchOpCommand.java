package dev.weft.cli;

import dev.weft.RequestException;
import dev.weft.bench.LayerBench;
import dev.weft.bench.LayerBench.Part;
import dev.weft.bench.Rounds;
import dev.weft.graph.Node;
import dev.weft.model.LayerStack;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertGemm;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.OpInstance;
import dev.weft.op.SwiGlu;
import dev.weft.runtime.Device;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench op}: operators as they stand in the model, with its shapes and data that other operators made. */
@Command(
        name = "op",
        description = "Measure single operators at the model's shapes, within a layer, so that their data are real.")
final class BenchOpCommand extends WeftCommand {
    /** Work of these depends on the number of experts; layers for the others get by with few. */
    private static final Set<String> OF_EXPERTS = Stream.of(
                    ExpertGemm.class, MoeGate.class, MoeDispatch.class, MoeCombine.class, SwiGlu.class)
            .map(c -> c.getSimpleName().toLowerCase(Locale.ROOT))
            .collect(Collectors.toUnmodifiableSet());

    private static final int FEW_EXPERTS = 8;

    @Mixin
    private final BenchOptions options = new BenchOptions();

    @Mixin
    private final BenchLayerOptions layerOptions = new BenchLayerOptions();

    @ArgGroup(multiplicity = "1")
    private final Which which = new Which();

    @Option(names = "--m", paramLabel = "M", defaultValue = "1", description = "Tokens. Default: ${DEFAULT-VALUE}.")
    private int m;

    /** One operator or all. */
    private static final class Which {
        @Parameters(
                paramLabel = "NAME",
                description = "Operator by name, in any case, as in sparseAttention or expertGemm.")
        private @Nullable String name;

        @Option(names = "--all", description = "All operators of the model's layers.")
        private boolean all;
    }

    BenchOpCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        BenchOptions.positive("--m", m);
        ModelConfig config = config();
        int context = layerOptions.context(config, m);
        Rounds rounds = options.rounds();
        Map<LayerKind, Set<OpInstance>> wanted = wanted(config, context);
        ObjectNode settings = Json.object();
        settings.put("model", layerOptions.model()).put("m", m).put("context", context);
        BenchReport report = new BenchReport("op", options, settings, terminal);
        options.eachDevice(device -> {
            int before = report.size();
            wanted.forEach((kind, ops) -> measure(device, config, kind, context, rounds, ops, report));
            if (report.size() == before) {
                throw new RequestException("NAME: found " + which.name + ", which on " + device.id()
                        + " is computed by the kernel of another operator in every layer; expected one with a kernel of"
                        + " its own, or weft bench layer --ops, which lists these, or weft bench piece");
            }
        });
        report.write();
        return ExitCode.OK;
    }

    private ModelConfig config() {
        ModelConfig all = layerOptions.config();
        boolean few = which.name != null && !OF_EXPERTS.contains(which.name.toLowerCase(Locale.ROOT));
        return few ? all.with(ConfigPreset.experts(all, Math.min(FEW_EXPERTS, all.nRoutedExperts()))) : all;
    }

    /** Which operators are measured in a layer of which kind: each where it first occurs with its shapes. */
    private Map<LayerKind, Set<OpInstance>> wanted(ModelConfig config, int context) {
        Map<LayerKind, Set<OpInstance>> wanted = new LinkedHashMap<>();
        Set<OpInstance> seen = new HashSet<>();
        Set<String> names = new TreeSet<>();
        for (LayerKind kind : List.of(LayerKind.CSA, LayerKind.HCA, LayerKind.WINDOW)) {
            for (Node node : LayerBench.graph(config, LayerStack.of(kind, m, context + m))
                    .nodes()) {
                names.add(node.op().name());
                boolean named = which.name == null
                        || which.name.equalsIgnoreCase(node.op().name());
                if (named && seen.add(node.instance())) {
                    wanted.computeIfAbsent(kind, k -> new HashSet<>()).add(node.instance());
                }
            }
        }
        if (wanted.isEmpty()) {
            throw new UsageException("NAME: found '" + which.name + "', expected one of " + String.join(", ", names));
        }
        return wanted;
    }

    private void measure(
            Device device,
            ModelConfig config,
            LayerKind kind,
            int context,
            Rounds rounds,
            Set<OpInstance> wanted,
            BenchReport report) {
        try (LayerBench layer = BenchLayerOptions.load(
                        terminal, device, config, LayerStack.of(kind, m, context + m), options.seed());
                Progress progress = new Progress(terminal, "rounds", Progress.Unit.CASES, rounds.total())) {
            Set<OpInstance> left = new HashSet<>(wanted); // equal nodes of a layer are reported once
            for (Part p : layer.nodes(rounds, node -> left.remove(node.instance()), progress::accept)) {
                String key = BenchLayerOptions.key(kind);
                ObjectNode details = Json.object().put("op", p.op()).put("kernel", p.kernel());
                report.add(device, p.result().named(key + " " + p.result().name()), details.put("kind", key));
            }
        }
    }
}

package dev.weft.cli;

import dev.weft.model.LaunchCount;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.V4Graphs;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.Placement;
import dev.weft.runtime.Weft;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft compile}: what a device makes of a model's graph. */
@Command(
        name = "compile",
        description = {
            "Compile a model's graph for a device from its configuration alone, and show which kernels run it, the"
                    + " memory it needs and the launches of a step.",
            "Fails, with the reasons, if a node has no kernel on the device."
        })
final class CompileCommand extends WeftCommand {
    @Option(
            names = "--model",
            paramLabel = "MODEL",
            defaultValue = "flash",
            description = "flash, pro, tiny, or the folder or file of a configuration. Default: ${DEFAULT-VALUE}.")
    private String model = "";

    @Option(names = "--device", paramLabel = "ID", description = "Device, as in cuda:0. Default: the best.")
    private @Nullable String device;

    @Option(
            names = "--numerics",
            paramLabel = "MODE",
            defaultValue = "bf16",
            converter = NumericModeConverter.class,
            description = "fp32, qat32 or bf16. Default: ${DEFAULT-VALUE}.")
    private NumericMode numerics = NumericMode.BF16;

    @Option(
            names = "--context",
            paramLabel = "TOKENS",
            defaultValue = "4096",
            description = "Longest sequence. Default: ${DEFAULT-VALUE}.")
    private int context;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "Most tokens of a step, which memory is planned for. Default: ${DEFAULT-VALUE}.")
    private int maxTokens;

    @Option(
            names = "--sequences",
            paramLabel = "N",
            defaultValue = "1",
            description = "Most sequences. Default: ${DEFAULT-VALUE}.")
    private int sequences;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "1",
            description = "Tokens of the step whose launches are counted: 1 is decode. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(names = "--nodes", description = "Also list every node with its kernel.")
    private boolean nodes;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    CompileCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() {
        BenchOptions.positive("--context", context);
        BenchOptions.positive("--max-tokens", maxTokens);
        BenchOptions.positive("--sequences", sequences);
        if (tokens < 1 || tokens > maxTokens) {
            throw new UsageException("--tokens: found " + tokens + ", expected 1 to --max-tokens " + maxTokens);
        }
        ModelConfig config = config();
        LoadOptions options = LoadOptions.defaults()
                .mode(numerics)
                .maxContext(context)
                .maxTokens(maxTokens)
                .maxSequences(sequences);
        try (Weft weft = Weft.open()) {
            Device target = device == null ? weft.best() : weft.device(device);
            CompiledGraph compiled = target.compile(V4Graphs.backbone(config, options, target));
            Optional<LaunchCount> launches =
                    LaunchCount.of(compiled, config.numHiddenLayers(), V4Graphs.extents(tokens, 1, 1));
            if (json) {
                printJson(compiled.placement(), launches);
            } else {
                print(config, compiled.placement(), launches);
            }
        }
        return ExitCode.OK;
    }

    private ModelConfig config() {
        Path folder = Path.of(model);
        return Files.isDirectory(folder)
                ? ModelConfig.read(folder.resolve("config.json"))
                : ConfigPreset.named("--model", model);
    }

    private void print(ModelConfig config, Placement placement, Optional<LaunchCount> launches) {
        terminal.printf("%s%n", nodes ? placement.table() : placement.summary());
        if (launches.isEmpty()) {
            terminal.printf("launches are not counted on this device%n");
            return;
        }
        LaunchCount count = launches.get();
        terminal.printf(
                "a step of %d tokens: %d launches, %d of them outside of the layers%n",
                tokens, count.total(), count.outside());
        Map<String, Integer> layers = new TreeMap<>();
        for (int i = 0; i < count.layers().size(); i++) {
            String kind = config.kind(i).name().toLowerCase(Locale.ROOT) + (config.isHashRouted(i) ? ", hash" : "");
            layers.merge(kind + "\t" + count.layers().get(i), 1, Integer::sum);
        }
        TextTable table = new TextTable(false, "layers", "number", "launches of each");
        layers.forEach((key, n) -> table.add(key.split("\t")[0], Integer.toString(n), key.split("\t")[1]));
        table.print(terminal);
    }

    private void printJson(Placement placement, Optional<LaunchCount> launches) {
        ObjectNode root = Json.object();
        root.put("graph", placement.graph()).put("device", placement.device());
        root.put("hostNodes", placement.hostNodes());
        root.put("weightBytes", placement.weightBytes()).put("valueBytes", placement.valueBytes());
        root.put("workspaceBytes", placement.workspaceBytes()).put("stateBytes", placement.stateBytes());
        ArrayNode list = root.putArray("nodes");
        placement
                .rows()
                .forEach(r -> list.addObject()
                        .put("node", r.node())
                        .put("kernel", r.kernel())
                        .put("last", r.last())
                        .put("onHost", r.onHost())
                        .put("note", r.note()));
        launches.ifPresent(count -> {
            ObjectNode counted =
                    root.putObject("launches").put("tokens", tokens).put("total", count.total());
            count.layers().forEach(counted.put("outside", count.outside()).putArray("layers")::add);
        });
        Json.print(terminal, root);
    }
}

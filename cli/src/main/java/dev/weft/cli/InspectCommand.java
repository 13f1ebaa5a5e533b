package dev.weft.cli;

import dev.weft.io.Checkpoint;
import dev.weft.io.TensorEntry;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft inspect}: what a checkpoint is, and whether it has all that its configuration demands. */
@Command(
        name = "inspect",
        description = "Show what a checkpoint holds and check it against its configuration. Reads no weights.")
final class InspectCommand extends WeftCommand {
    private static final int SHOWN_PROBLEMS = 20;

    @Parameters(index = "0", paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path directory = Path.of("");

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Option(names = "--tensors", description = "Also list every tensor.")
    private boolean tensors;

    InspectCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() {
        ModelOptions.requireDirectory(directory);
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        try (Checkpoint checkpoint = Checkpoint.open(directory)) {
            Inspection inspection = Inspection.of(checkpoint, config);
            if (json) {
                printJson(checkpoint, config, inspection);
            } else {
                print(checkpoint, config, inspection);
            }
            return inspection.problems().isEmpty() ? ExitCode.OK : ExitCode.FAILED;
        }
    }

    /** The sizes that make a model what it is, by the keys of its configuration. */
    private static Map<String, Integer> sizes(ModelConfig c) {
        Map<String, Integer> sizes = new LinkedHashMap<>();
        sizes.put("num_hidden_layers", c.numHiddenLayers());
        sizes.put("num_nextn_predict_layers", c.numNextnPredictLayers());
        sizes.put("hidden_size", c.hiddenSize());
        sizes.put("vocab_size", c.vocabSize());
        sizes.put("num_attention_heads", c.numAttentionHeads());
        sizes.put("head_dim", c.headDim());
        sizes.put("qk_rope_head_dim", c.qkRopeHeadDim());
        sizes.put("q_lora_rank", c.qLoraRank());
        sizes.put("o_groups", c.oGroups());
        sizes.put("o_lora_rank", c.oLoraRank());
        sizes.put("sliding_window", c.slidingWindow());
        sizes.put("index_n_heads", c.indexNHeads());
        sizes.put("index_topk", c.indexTopk());
        sizes.put("n_routed_experts", c.nRoutedExperts());
        sizes.put("num_experts_per_tok", c.numExpertsPerTok());
        sizes.put("n_shared_experts", c.nSharedExperts());
        sizes.put("moe_intermediate_size", c.moeIntermediateSize());
        sizes.put("hc_mult", c.hcMult());
        sizes.put("max_position_embeddings", c.maxPositionEmbeddings());
        return sizes;
    }

    private static String kind(LayerKind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    private static int layers(ModelConfig c) {
        return c.numHiddenLayers() + c.numNextnPredictLayers();
    }

    private void print(Checkpoint checkpoint, ModelConfig config, Inspection inspection) {
        terminal.printf("%s%n%n", checkpoint.directory());
        sizes(config).forEach((key, value) -> terminal.printf("%-26s %d%n", key, value));
        terminal.printf("%-26s %s%n%n", "experts", config.fp4Experts() ? "FP4" : "FP8");
        for (int i = 0; i < layers(config); i++) {
            boolean mtp = i >= config.numHiddenLayers();
            terminal.printf(
                    "%-8s %-6s %-4s %s routing%n",
                    mtp ? "mtp." + (i - config.numHiddenLayers()) : "layer " + i,
                    kind(config.kind(i)),
                    config.ratio(i) == 0 ? "" : config.ratio(i),
                    config.isHashRouted(i) ? "hash" : "score");
        }
        terminal.printf("%n%-8s %8s %14s%n", "dtype", "tensors", "bytes");
        inspection
                .dtypes()
                .forEach((dtype, total) -> terminal.printf("%-8s %8d %14d%n", dtype, total.tensors(), total.bytes()));
        terminal.printf(
                "%-8s %8d %14d  (%s)%n",
                "total", checkpoint.names().size(), checkpoint.totalBytes(), Units.bytes(checkpoint.totalBytes()));
        terminal.printf("%nparameters %d (%s)%n", inspection.parameters(), Units.count(inspection.parameters()));
        if (tensors) {
            terminal.printf("%n");
            for (String name : checkpoint.names()) {
                TensorEntry t = checkpoint.find(name).orElseThrow();
                terminal.printf("%-60s %-8s %s%n", name, t.dtype(), Arrays.toString(t.shape()));
            }
        }
        printCheck(inspection);
    }

    private void printCheck(Inspection inspection) {
        if (!inspection.unused().isEmpty()) {
            terminal.printf(
                    "%d stored tensors are not used, %s for example%n",
                    inspection.unused().size(), inspection.unused().getFirst());
        }
        List<String> problems = inspection.problems();
        if (problems.isEmpty()) {
            terminal.printf("all %d tensors that the configuration demands are there%n", inspection.demanded());
            return;
        }
        terminal.printf("%d problems:%n", problems.size());
        problems.stream().limit(SHOWN_PROBLEMS).forEach(p -> terminal.printf("  %s%n", p));
        if (problems.size() > SHOWN_PROBLEMS) {
            terminal.printf("  and %d more; --json lists all%n", problems.size() - SHOWN_PROBLEMS);
        }
    }

    private void printJson(Checkpoint checkpoint, ModelConfig config, Inspection inspection) {
        ObjectNode root = Json.object();
        root.put("model", checkpoint.directory().toString());
        ObjectNode sizes = root.putObject("config");
        sizes(config).forEach(sizes::put);
        sizes.put("expert_dtype", config.fp4Experts() ? "fp4" : "fp8");
        ArrayNode layers = root.putArray("layers");
        for (int i = 0; i < layers(config); i++) {
            layers.addObject()
                    .put("kind", kind(config.kind(i)))
                    .put("ratio", config.ratio(i))
                    .put("mtp", i >= config.numHiddenLayers())
                    .put("routing", config.isHashRouted(i) ? "hash" : "score");
        }
        root.put("tensors", checkpoint.names().size());
        root.put("bytes", checkpoint.totalBytes());
        root.put("parameters", inspection.parameters());
        ObjectNode dtypes = root.putObject("dtypes");
        inspection
                .dtypes()
                .forEach((dtype, total) -> dtypes.putObject(dtype.toString())
                        .put("tensors", total.tensors())
                        .put("bytes", total.bytes()));
        if (tensors) {
            ArrayNode list = root.putArray("tensorList");
            for (String name : checkpoint.names()) {
                TensorEntry t = checkpoint.find(name).orElseThrow();
                ArrayNode shape = list.addObject()
                        .put("name", name)
                        .put("dtype", t.dtype().toString())
                        .putArray("shape");
                Arrays.stream(t.shape()).forEach(shape::add);
            }
        }
        ArrayNode problems = root.putArray("problems");
        inspection.problems().forEach(problems::add);
        ArrayNode unused = root.putArray("unused");
        inspection.unused().forEach(unused::add);
        Json.print(terminal, root);
    }
}

package dev.weft.cli;

import dev.weft.bench.LayerBench;
import dev.weft.bench.LayerBench.Part;
import dev.weft.bench.Rounds;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench layer}: one layer of true size. */
@Command(
        name = "layer",
        description = "Measure one layer of true size on random weights: decode with one token, prefill with more.")
final class BenchLayerCommand extends WeftCommand {
    @Mixin
    private final BenchOptions options = new BenchOptions();

    @Mixin
    private final BenchLayerOptions layerOptions = new BenchLayerOptions();

    @Option(
            names = "--kind",
            paramLabel = "KIND",
            defaultValue = "csa",
            description = "window, csa (compressed, sparse) or hca (heavily compressed). Default: ${DEFAULT-VALUE}.")
    private String kind = "";

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "1",
            description = "Tokens of a step: 1 is decode. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(names = "--ops", description = "Also measure every operator of the layer by itself.")
    private boolean ops;

    BenchLayerCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        BenchOptions.positive("--tokens", tokens);
        LayerKind wanted = BenchLayerOptions.kind(kind);
        Rounds rounds = options.rounds();
        ModelConfig config = layerOptions.config();
        int context = layerOptions.context(config, tokens);
        ObjectNode settings = Json.object();
        settings.put("model", layerOptions.model()).put("kind", kind);
        settings.put("tokens", tokens).put("context", context);
        BenchReport report = new BenchReport("layer", options, settings);
        options.eachDevice(device -> {
            try (LayerBench layer =
                    BenchLayerOptions.load(terminal, device, config, wanted, context, tokens, options.seed())) {
                settings.put("weightBytes", layer.weightBytes());
                measure(layer, device, rounds, report);
            }
        });
        report.write(terminal);
        return ExitCode.OK;
    }

    private void measure(LayerBench layer, Device device, Rounds rounds, BenchReport report) {
        int total = rounds.total() * (ops ? 2 : 1);
        try (Progress progress = new Progress(terminal, "rounds", Progress.Unit.CASES, total)) {
            report.add(device, layer.whole(rounds, progress::accept), Json.object());
            if (ops) {
                for (Part p : layer.nodes(rounds, node -> true, n -> progress.accept(rounds.total() + n))) {
                    report.add(
                            device, p.result(), Json.object().put("op", p.op()).put("kernel", p.kernel()));
                }
            }
        }
    }
}

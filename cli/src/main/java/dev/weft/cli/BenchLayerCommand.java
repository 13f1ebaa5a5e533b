package dev.weft.cli;

import dev.weft.bench.LayerBench;
import dev.weft.bench.LayerBench.Part;
import dev.weft.bench.LayerBench.Share;
import dev.weft.bench.Rounds;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.Device;
import dev.weft.spi.Communicator;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
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

    @Option(
            names = "--parts",
            description = "Also say what the time goes to: attention, gate, experts and so on. Ranks always do.")
    private boolean parts;

    @Mixin
    private final RankOptions ranks = new RankOptions();

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
        return ranks.run(terminal, world -> run(config, wanted, context, rounds, world));
    }

    private int run(ModelConfig config, LayerKind wanted, int context, Rounds rounds, @Nullable Communicator world)
            throws IOException {
        ObjectNode settings = Json.object();
        settings.put("model", layerOptions.model()).put("kind", kind);
        settings.put("tokens", tokens).put("context", context);
        ParallelPlan plan = ParallelPlan.ALONE;
        if (world != null) {
            plan = ranks.plan(world.size(), config);
            settings.put("ranks", world.size());
        }
        ParallelPlan spread = plan;
        BenchReport report = new BenchReport("layer", options, settings);
        options.eachDevice(device -> {
            Communicator group = world == null ? null : ranks.group(world, device);
            if (group != null) {
                settings.put("transport", group.transport());
            }
            try (LayerBench layer = BenchLayerOptions.load(
                    terminal, device, config, wanted, context, tokens, options.seed(), spread, group)) {
                settings.put("weightBytes", layer.weightBytes());
                settings.set("memory", memory(layer.memory()));
                measure(layer, device, rounds, report, world);
            }
        });
        if (world == null || world.rank() == 0) {
            report.write(terminal);
        }
        return ExitCode.OK;
    }

    private static ObjectNode memory(LayerBench.Memory m) {
        return Json.object()
                .put("experts", m.experts())
                .put("others", m.others())
                .put("expertsAlone", m.expertsAlone())
                .put("othersAlone", m.othersAlone());
    }

    private void measure(
            LayerBench layer, Device device, Rounds rounds, BenchReport report, @Nullable Communicator world) {
        boolean shares = parts || world != null;
        int total = rounds.total() * (1 + (shares ? 1 : 0) + (ops ? 1 : 0));
        try (Progress progress = Progress.of(world, terminal, "rounds", Progress.Unit.CASES, total)) {
            report.add(device, layer.whole(rounds, progress::accept), Json.object());
            int done = rounds.total();
            if (shares) {
                for (Share s : layer.parts(rounds, n -> progress.accept(rounds.total() + n))) {
                    report.add(device, s.result(), details(s));
                }
                done += rounds.total();
            }
            int before = done;
            if (ops) {
                for (Part p : layer.nodes(rounds, node -> true, n -> progress.accept(before + n))) {
                    report.add(
                            device, p.result(), Json.object().put("op", p.op()).put("kernel", p.kernel()));
                }
            }
        }
    }

    private static ObjectNode details(Share s) {
        ObjectNode details = Json.object().put("part", s.result().name());
        details.putObject("ofRanks").put("least", s.least()).put("most", s.most());
        return details;
    }
}

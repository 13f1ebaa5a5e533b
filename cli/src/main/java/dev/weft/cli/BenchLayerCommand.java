package dev.weft.cli;

import dev.weft.bench.LayerBench;
import dev.weft.bench.LayerBench.Part;
import dev.weft.bench.LayerBench.Share;
import dev.weft.bench.Rounds;
import dev.weft.model.LayerStack;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import dev.weft.parallel.ParallelPlan;
import dev.weft.runtime.Device;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench layer}: layers of true size. */
@Command(
        name = "layer",
        description =
                "Measure layers of true size on random weights: decode with one token of each sequence, prefill with"
                        + " more.")
final class BenchLayerCommand extends WeftCommand {
    @Mixin
    private final BenchOptions options = new BenchOptions();

    @Mixin
    private final BenchLayerOptions layerOptions = new BenchLayerOptions();

    @Option(
            names = "--kind",
            paramLabel = "KIND",
            split = ",",
            defaultValue = "csa",
            description = "window, csa (compressed, sparse) or hca (heavily compressed). Several are layers one after"
                    + " another, as in window,window,csa,hca. Default: ${DEFAULT-VALUE}.")
    private List<String> kinds = List.of();

    @Option(
            names = "--tokens",
            paramLabel = "N",
            split = ",",
            defaultValue = "1",
            description = "Tokens of every sequence in a step: 1 is decode. Default: ${DEFAULT-VALUE}.")
    private List<Integer> tokens = List.of();

    @Option(
            names = {"-b", "--batch"},
            paramLabel = "N",
            split = ",",
            defaultValue = "1",
            description = "Sequences in a step. Default: ${DEFAULT-VALUE}.")
    private List<Integer> batches = List.of();

    @Option(names = "--ops", description = "Also measure every operator of the layers by itself.")
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
        if (kinds.isEmpty()) {
            throw new UsageException("--kind: found none, expected one or more");
        }
        tokens.forEach(n -> BenchOptions.positive("--tokens", n));
        batches.forEach(n -> BenchOptions.positive("--batch", n));
        Rounds rounds = options.rounds();
        List<LayerKind> wanted = kinds.stream().map(BenchLayerOptions::kind).toList();
        ModelConfig config = layerOptions.config();
        List<LayerStack> stacks = new ArrayList<>();
        for (int batch : BenchOptions.each("--batch", batches)) {
            for (int n : BenchOptions.each("--tokens", tokens)) {
                stacks.add(new LayerStack(wanted, batch, n, layerOptions.context(config, n) + n));
            }
        }
        return ranks.run(terminal, world -> run(config, stacks, rounds, world));
    }

    private int run(ModelConfig config, List<LayerStack> stacks, Rounds rounds, @Nullable Communicator world)
            throws IOException {
        ObjectNode settings = Json.object();
        settings.put("model", layerOptions.model()).put("kind", String.join(",", kinds));
        LayerStack first = stacks.getFirst();
        if (stacks.size() == 1) {
            settings.put("tokens", first.tokens());
        }
        if (stacks.size() == 1 && first.sequences() > 1) { // as it was before there were several
            settings.put("batch", first.sequences());
        }
        settings.put("context", first.context() - first.tokens());
        ParallelPlan plan = ParallelPlan.ALONE;
        if (world != null) {
            plan = ranks.plan(world.size(), config);
            settings.put("ranks", world.size());
        }
        ParallelPlan spread = plan;
        boolean prints = world == null || world.rank() == 0;
        BenchReport report = new BenchReport("layer", options, settings, prints ? terminal : null);
        options.eachDevice(device -> {
            Communicator group = world == null ? null : ranks.group(world, device);
            if (group != null) {
                settings.put("transport", group.transport());
            }
            for (LayerStack stack : stacks) {
                try (LayerBench layer =
                        BenchLayerOptions.load(terminal, device, config, stack, options.seed(), spread, group)) {
                    settings.put("weightBytes", layer.weightBytes());
                    settings.set("memory", memory(layer.memory()));
                    measure(layer, device, rounds, report, stacks.size() == 1 ? Json.object() : rows(stack), world);
                }
            }
        });
        report.write();
        return ExitCode.OK;
    }

    private static ObjectNode rows(LayerStack stack) {
        return Json.object().put("tokens", stack.tokens()).put("batch", stack.sequences());
    }

    private static ObjectNode memory(LayerBench.Memory m) {
        return Json.object()
                .put("experts", m.experts())
                .put("others", m.others())
                .put("expertsAlone", m.expertsAlone())
                .put("othersAlone", m.othersAlone());
    }

    /** @param rows fields that say which rows were measured, in each result */
    private void measure(
            LayerBench layer,
            Device device,
            Rounds rounds,
            BenchReport report,
            ObjectNode rows,
            @Nullable Communicator world) {
        boolean shares = parts || world != null;
        int total = rounds.total() * (1 + (shares ? 1 : 0) + (ops ? 1 : 0));
        try (Progress progress = Progress.of(world, terminal, "rounds", Progress.Unit.CASES, total)) {
            LayerBench.Whole whole = layer.whole(rounds, progress::accept);
            report.add(device, whole.result(), details(whole).setAll(rows));
            int done = rounds.total();
            if (shares) {
                for (Share s : layer.parts(rounds, n -> progress.accept(rounds.total() + n))) {
                    report.add(device, s.result(), details(s).setAll(rows));
                }
                done += rounds.total();
            }
            int before = done;
            if (ops) {
                for (Part p : layer.nodes(rounds, node -> true, n -> progress.accept(before + n))) {
                    ObjectNode details = Json.object().put("op", p.op()).put("kernel", p.kernel());
                    report.add(device, p.result(), details.setAll(rows));
                }
            }
        }
    }

    private static ObjectNode details(LayerBench.Whole whole) {
        ObjectNode details = Json.object();
        whole.floors()
                .ifPresent(floors -> details.put("floorSeconds", floors)
                        .put("timesFloor", whole.result().secondsMedian() / floors));
        whole.host().ifPresent(seconds -> details.put("hostSeconds", seconds));
        whole.launches().ifPresent(n -> details.put("launches", n));
        return details;
    }

    private static ObjectNode details(Share s) {
        ObjectNode details = Json.object().put("part", s.result().name());
        details.putObject("ofRanks").put("least", s.least()).put("most", s.most());
        return details;
    }
}

package dev.weft.cli;

import dev.weft.bench.ModelBench;
import dev.weft.bench.Result;
import dev.weft.bench.Rounds;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.ranks.Agreement;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench model}, also {@code run}: tokens per second of a checkpoint. */
@Command(
        name = "model",
        aliases = "run",
        description = "Measure prefill and decode of a checkpoint with random tokens; lists give every combination.")
final class BenchModelCommand extends WeftCommand {
    /** Rounds are long here: each is a whole text. */
    private static final int ROUNDS = 5;

    @Mixin
    private final BenchOptions options = new BenchOptions(ROUNDS, 1);

    @Mixin
    private final BenchModelTests tests = new BenchModelTests();

    @Mixin
    private final RankOptions ranks = new RankOptions();

    @ArgGroup(multiplicity = "1")
    private final Which which = new Which();

    @Option(
            names = "--numerics",
            paramLabel = "MODE",
            split = ",",
            defaultValue = "bf16",
            converter = NumericModeConverter.class,
            description = "Numeric modes: fp32, qat32, bf16. Default: ${DEFAULT-VALUE}.")
    private List<NumericMode> numerics = List.of();

    /** A checkpoint there is, or one made for the run. */
    private static final class Which {
        @Parameters(paramLabel = "MODEL", description = "Folder of the checkpoint.")
        private @Nullable Path directory;

        @Option(
                names = "--synthetic",
                paramLabel = "NAME",
                description = "tiny, flash, pro or the file of a configuration: random weights in a temporary folder.")
        private @Nullable String synthetic;
    }

    BenchModelCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        List<ModelBench> all = tests.all();
        Rounds rounds = options.rounds();
        return ranks.run(terminal, world -> run(all, rounds, world));
    }

    private int run(List<ModelBench> all, Rounds rounds, @Nullable Communicator world) throws IOException {
        Path made = which.synthetic == null ? null : Files.createTempDirectory("weft-bench");
        try {
            ObjectNode settings = Json.object().put("model", name());
            boolean prints = world == null || world.rank() == 0;
            BenchReport report = new BenchReport("model", options, settings, prints ? terminal : null);
            try (Checkpoint checkpoint = Checkpoint.open(folder(made))) {
                options.eachDevice(device -> numerics.forEach(
                        mode -> measure(checkpoint, device, mode, all, rounds, report, settings, world)));
            }
            report.write();
        } finally {
            if (made != null) {
                delete(made);
            }
        }
        return ExitCode.OK;
    }

    private String name() {
        return which.synthetic == null ? String.valueOf(which.directory) : "synthetic:" + which.synthetic;
    }

    private static long free(Path folder) {
        try {
            return Files.getFileStore(folder).getUsableSpace();
        } catch (IOException e) {
            return Long.MAX_VALUE; // nobody knows; writing will tell
        }
    }

    private Path folder(@Nullable Path made) {
        if (made == null || which.synthetic == null) {
            return ModelOptions.requireDirectory(Objects.requireNonNull(which.directory));
        }
        ModelConfig config = ConfigPreset.named("--synthetic", which.synthetic);
        long bytes = ModelInventory.bytes(ModelInventory.of(config));
        long free = free(made);
        if (bytes > free) {
            throw new UsageException("--synthetic: " + which.synthetic + " needs " + Units.bytes(bytes) + ", found "
                    + Units.bytes(free) + " free in " + made.getParent() + "; name a folder with more room by"
                    + " WEFT_JAVA_OPTS=-Djava.io.tmpdir=FOLDER, or the file of a smaller configuration");
        }
        try (Progress progress = new Progress(terminal, "writing weights", Progress.Unit.BYTES, bytes)) {
            SyntheticCheckpoint.of(config, options.seed()).write(made, progress);
        }
        return made;
    }

    private void measure(
            Checkpoint checkpoint,
            Device device,
            NumericMode mode,
            List<ModelBench> all,
            Rounds rounds,
            BenchReport report,
            ObjectNode settings,
            @Nullable Communicator world) {
        LoadOptions load = ModelBench.loadOptions(all).mode(mode);
        try (DeepSeekV4 model =
                LoadedModel.load(terminal, checkpoint, device, load, CompileOptions.DEFAULT, ranks, world)) {
            if (world != null) {
                settings.put("ranks", world.size())
                        .put("transport", ranks.group(world, device).transport());
                ArrayNode held = settings.putArray("rankWeightBytes");
                String mine = Long.toString(model.memory().weights());
                Agreement.texts(world, "weights", mine).forEach(bytes -> held.add(Long.parseLong(bytes)));
            }
            if (!LoadedModel.follows(terminal, model, world)) {
                measure(model, device, mode, all, rounds, report);
            }
        }
    }

    private void measure(
            DeepSeekV4 model,
            Device device,
            NumericMode mode,
            List<ModelBench> all,
            Rounds rounds,
            BenchReport report) {
        int total = all.size() * rounds.total();
        try (Progress progress = new Progress(terminal, "rounds", Progress.Unit.CASES, total)) {
            for (int i = 0; i < all.size(); i++) {
                ModelBench test = all.get(i);
                int before = i * rounds.total();
                Result r = test.run(model, device, options.seed(), rounds, n -> progress.accept(before + n));
                report.add(device, r, details(test, r, mode));
            }
        }
    }

    private static ObjectNode details(ModelBench test, Result r, NumericMode mode) {
        ObjectNode details = Json.object().put("numerics", NumericModeConverter.name(mode));
        details.put("prompt", test.prompt()).put("generate", test.generate());
        details.put("depth", test.depth()).put("batch", test.batch());
        details.put("tokens", test.tokens()).put("tokensPerSecond", test.tokens() / r.secondsMedian());
        Result.Rate rate = r.rate(test.tokens());
        details.putObject("rate")
                .put("mean", rate.mean())
                .put("deviation", rate.deviation())
                .put("least", rate.least());
        return details;
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> {
                try {
                    Files.delete(file);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }
}

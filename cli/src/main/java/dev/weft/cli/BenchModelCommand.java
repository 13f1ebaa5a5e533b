package dev.weft.cli;

import dev.weft.bench.ModelBench;
import dev.weft.bench.Result;
import dev.weft.bench.Rounds;
import dev.weft.io.Checkpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench model}: tokens per second of a checkpoint. */
@Command(name = "model", description = "Measure prefill and decode of a checkpoint with random tokens.")
final class BenchModelCommand extends WeftCommand {
    private static final int MOST_TOKENS = 512;

    /** Rounds are long here: each is a whole text. */
    private static final int ROUNDS = 5;

    @Mixin
    private final BenchOptions options = new BenchOptions(ROUNDS);

    @Mixin
    private final RankOptions ranks = new RankOptions();

    @Parameters(index = "0", paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path directory = Path.of("");

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "512",
            description = "Tokens of every prompt. Default: ${DEFAULT-VALUE}.")
    private int prompt;

    @Option(
            names = "--generate",
            paramLabel = "N",
            defaultValue = "128",
            description = "Tokens to decode after it. Default: ${DEFAULT-VALUE}.")
    private int generate;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "1",
            description = "Sequences side by side. Default: ${DEFAULT-VALUE}.")
    private int batch;

    BenchModelCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        BenchOptions.positive("--prompt", prompt);
        BenchOptions.positive("--generate", generate);
        BenchOptions.positive("--batch", batch);
        Rounds rounds = options.rounds();
        Path folder = ModelOptions.requireDirectory(directory);
        LoadOptions load = LoadOptions.defaults()
                .maxContext(Math.addExact(prompt, generate))
                .maxSequences(batch)
                .maxTokens(Math.max(batch, Math.min(MOST_TOKENS, Math.multiplyExact(prompt, batch))));
        return ranks.run(terminal, world -> run(folder, load, rounds, world));
    }

    private int run(Path folder, LoadOptions load, Rounds rounds, @Nullable Communicator world) {
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                Weft weft = options.openWeft()) {
            Device device = options.device(weft);
            try (DeepSeekV4 model =
                    LoadedModel.load(terminal, checkpoint, device, load, CompileOptions.DEFAULT, ranks, world)) {
                if (LoadedModel.follows(model, world)) {
                    return ExitCode.OK;
                }
                ObjectNode settings = Json.object();
                settings.put("model", folder.toString()).put("numerics", "bf16");
                settings.put("prompt", prompt).put("generate", generate).put("batch", batch);
                BenchReport report = new BenchReport("model", device, options, settings);
                measure(new ModelBench(model, device, prompt, generate, batch, options.seed()), rounds, report);
                report.print(terminal);
            }
        }
        return ExitCode.OK;
    }

    private void measure(ModelBench bench, Rounds rounds, BenchReport report) {
        try (Progress progress = new Progress(terminal, "rounds", Progress.Unit.CASES, 2L * rounds.total())) {
            Result prefill = bench.prefill(rounds, progress::accept);
            report.add(prefill, tokens(prefill, prompt));
            Result decode = bench.decode(rounds, n -> progress.accept(rounds.total() + n));
            report.add(decode, tokens(decode, generate));
        }
    }

    private ObjectNode tokens(Result result, int perSequence) {
        long tokens = (long) perSequence * batch;
        return Json.object().put("tokens", tokens).put("tokensPerSecond", tokens / result.secondsMedian());
    }
}

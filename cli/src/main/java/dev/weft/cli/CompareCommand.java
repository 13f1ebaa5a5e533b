package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.bench.Rounds;
import dev.weft.io.Checkpoint;
import dev.weft.model.NumericMode;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import dev.weft.verify.ModeReport;
import dev.weft.verify.ModelComparison;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code weft compare}: devices against a reference, node by node and end to end. */
@Command(
        name = "compare",
        description = {
            "Hold devices against a reference on a model.",
            "Every node runs by itself, fed with the reference's operands, so that the first wrong one is found by name;"
                    + " then the whole model. Times are shown of hardware only. Exit code 1 if a node breaks its"
                    + " operator's contract or a device cannot run the model."
        })
final class CompareCommand extends WeftCommand {
    private static final int WARM_UP = 2;

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = "Folder of the checkpoint.")
    private Path directory = Path.of("");

    @Option(
            names = "--devices",
            split = ",",
            paramLabel = "ID",
            description = "Devices, as in cpu:0,cpu:0/vector,ascend:0. Default: all there are.")
    private List<String> devices = List.of();

    @Option(
            names = "--reference",
            paramLabel = "ID",
            defaultValue = "cpu:0/scalar",
            description = "Device that is taken to be right. Default: ${DEFAULT-VALUE}.")
    private String reference = "";

    @Option(
            names = "--numerics",
            split = ",",
            paramLabel = "MODE",
            defaultValue = "fp32",
            converter = NumericModeConverter.class,
            description = "fp32, qat32 or bf16, one or more. Default: ${DEFAULT-VALUE}.")
    private List<NumericMode> modes = List.of();

    @Option(names = "--tokens", paramLabel = "FILE", description = "JSON array of token ids. Default: by chance.")
    private @Nullable Path tokens;

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "136",
            description = "Tokens of the prompt if they are drawn by chance. Default: ${DEFAULT-VALUE}.")
    private int prompt;

    @Option(
            names = "--decode",
            paramLabel = "N",
            defaultValue = "4",
            description = "Tokens to decode one by one: the last ones. Default: ${DEFAULT-VALUE}.")
    private int decode;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Seed of tokens drawn by chance. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "7",
            description = "Rounds of the times. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Worker threads of the CPU. Default: one per processor.")
    private int threads;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Option(names = "--html", paramLabel = "FILE", description = "Also write a report that stands alone.")
    private @Nullable Path html;

    @Option(
            names = "--arrow",
            paramLabel = "FILE",
            description = "Also write the nodes and times as an Arrow IPC file.")
    private @Nullable Path arrow;

    CompareCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        ModelOptions.requireDirectory(directory);
        if (html != null) {
            requireFile("--html", html);
        }
        if (arrow != null) {
            requireFile("--arrow", arrow);
        }
        int[] ids = tokens();
        CompareSheet sheet = sheet(ids);
        if (html != null) {
            Files.writeString(html, new CompareHtml(sheet).page());
        }
        if (arrow != null) {
            CompareArrow.of(CompareJson.of(sheet)).write(arrow);
        }
        if (json) {
            Json.print(terminal, CompareJson.of(sheet));
        } else {
            new CompareText(terminal, sheet).print();
        }
        return sheet.passed() ? ExitCode.OK : ExitCode.FAILED;
    }

    private static void requireFile(String option, Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(file)) {
            throw new UsageException(option + ": found " + file + ", expected a file in a folder that exists");
        }
    }

    private int[] tokens() throws IOException {
        BenchOptions.positive("--decode", decode);
        if (tokens != null) {
            int[] given = Json.readIds(tokens);
            if (given.length <= decode) {
                throw new UsageException("--tokens: found " + given.length + " in " + tokens
                        + ", expected more than the " + decode + " that --decode takes");
            }
            return given;
        }
        int count = BenchOptions.positive("--prompt", prompt) + decode;
        int vocabulary = ModelConfig.read(directory.resolve("config.json")).vocabSize();
        SplittableRandom random = new SplittableRandom(seed);
        return random.ints(count, 0, vocabulary).toArray();
    }

    private CompareSheet sheet(int[] ids) {
        Rounds timed = new Rounds(BenchOptions.positive("--rounds", rounds), WARM_UP);
        DeviceId against = DeviceId.parse(reference);
        BackendConfig config = BackendConfig.DEFAULT.withThreads(ModelOptions.requireThreads(threads));
        try (Backends backends = Backends.load(config);
                Weft weft = Weft.of(backends);
                Checkpoint checkpoint = Checkpoint.open(directory)) {
            List<DeviceId> others = devices.isEmpty()
                    ? DeviceComparison.candidates(weft)
                    : devices.stream().map(DeviceId::parse).toList();
            List<ModeReport> reports = new ArrayList<>();
            for (NumericMode mode : modes) {
                ModelComparison.Plan plan = new ModelComparison.Plan(against, others, mode, ids, decode, timed);
                reports.add(ModelComparison.run(backends, weft, checkpoint, plan, this::progress));
            }
            return new CompareSheet(
                    "weft "
                            + String.join(
                                    " ",
                                    spec.root().commandLine().getParseResult().originalArgs()),
                    directory.toString(),
                    tokens == null ? seed : -1,
                    ids.length - decode,
                    decode,
                    reports);
        }
    }

    private void progress(String what) {
        if (terminal.interactive()) {
            terminal.note("%s%n", what);
        }
    }
}

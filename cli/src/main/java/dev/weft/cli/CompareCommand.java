package dev.weft.cli;

import static java.util.Objects.requireNonNull;

import dev.weft.BackendUnavailableException;
import dev.weft.DeviceId;
import dev.weft.bench.Rounds;
import dev.weft.io.Checkpoint;
import dev.weft.model.NumericMode;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import dev.weft.verify.Comparison;
import dev.weft.verify.ModeReport;
import dev.weft.verify.ModelComparison;
import dev.weft.verify.OperatorCases;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code weft compare}: devices against a reference, node by node and end to end. */
@Command(
        name = "compare",
        description = {
            "Hold devices against a reference on a model or an operator.",
            "Every node runs by itself, fed with the reference's operands, so that the first wrong one is found by name;"
                    + " then the whole model. Times are shown of hardware only. Exit code 1 if a node breaks its"
                    + " operator's contract or a device cannot run the whole."
        })
final class CompareCommand extends WeftCommand {
    private static final int WARM_UP = 2;

    private final Function<BackendConfig, Backends> backends;

    @Spec
    private CommandSpec spec;

    @ArgGroup(multiplicity = "1")
    private final Subject subject = new Subject();

    /** A model or an operator. */
    private static final class Subject {
        @Parameters(paramLabel = "MODEL", description = "Folder of the checkpoint.")
        private @Nullable Path model;

        @Option(
                names = "--op",
                paramLabel = "NAME",
                description =
                        "Instead of a model: an operator by name, as in gemm or sparseAttention, in all the forms of"
                                + " the conformance suite.")
        private @Nullable String operator;
    }

    @Option(
            names = "--shape",
            paramLabel = "M,K,N",
            split = ",",
            description = "With --op gemm: [m, k] times [n, k], in all formats, instead of the suite's sizes.")
    private List<Integer> shape = List.of();

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
        this(terminal, Backends::load);
    }

    /** @param backends where the devices come from */
    CompareCommand(Terminal terminal, Function<BackendConfig, Backends> backends) {
        super(terminal);
        this.backends = backends;
    }

    @Override
    public Integer call() throws IOException {
        if (html != null) {
            requireFile("--html", html);
        }
        if (arrow != null) {
            requireFile("--arrow", arrow);
        }
        BenchOptions.positive("--rounds", rounds);
        if (!shape.isEmpty() && (shape.size() != 3 || !"gemm".equalsIgnoreCase(subject.operator))) {
            throw new UsageException("--shape: found " + shape
                    + (subject.model == null ? " with --op " + subject.operator : " with a model")
                    + ", expected M,K,N with --op gemm");
        }
        BackendConfig config = BackendConfig.DEFAULT.withThreads(ModelOptions.requireThreads(threads));
        CompareSheet sheet = subject.model == null
                ? ofOperator(requireNonNull(subject.operator), config)
                : ofModel(subject.model, config);
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

    private int[] tokens(Path model) throws IOException {
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
        int vocabulary = ModelConfig.read(model.resolve("config.json")).vocabSize();
        SplittableRandom random = new SplittableRandom(seed);
        return random.ints(count, 0, vocabulary).toArray();
    }

    private CompareSheet ofModel(Path model, BackendConfig config) throws IOException {
        ModelOptions.requireDirectory(model);
        int[] ids = tokens(model);
        try (Backends all = backends.apply(config);
                Weft weft = Weft.of(all);
                Checkpoint checkpoint = Checkpoint.open(model)) {
            List<ModeReport> reports = new ArrayList<>();
            for (NumericMode mode : modes) {
                ModelComparison.Plan plan = new ModelComparison.Plan(
                        DeviceId.parse(reference), others(weft), mode, ids, decode, new Rounds(rounds, WARM_UP));
                reports.add(ModelComparison.run(all, weft, checkpoint, plan, this::progress));
            }
            return new CompareSheet(
                    command(), model.toString(), tokens == null ? seed : -1, ids.length - decode, decode, reports);
        }
    }

    private CompareSheet ofOperator(String operator, BackendConfig config) {
        try (Backends all = backends.apply(config);
                Weft weft = Weft.of(all);
                OperatorCases cases = shape.isEmpty()
                        ? OperatorCases.of(operator)
                        : OperatorCases.gemm(shape.get(0), shape.get(1), shape.get(2))) {
            Comparison comparison =
                    cases.comparison().reference(weft.device(reference)).rounds(new Rounds(rounds, WARM_UP));
            for (DeviceId id : others(weft)) {
                try {
                    comparison.candidates(List.of(weft.device(id)));
                } catch (BackendUnavailableException e) {
                    comparison.absent(id, String.valueOf(e.getMessage()));
                }
            }
            return new CompareSheet(command(), cases.graph().name(), -1, 0, 0, List.of(comparison.run()));
        }
    }

    private List<DeviceId> others(Weft weft) {
        return devices.isEmpty()
                ? DeviceComparison.candidates(weft)
                : devices.stream().map(DeviceId::parse).toList();
    }

    private String command() {
        return "weft "
                + String.join(" ", spec.root().commandLine().getParseResult().originalArgs());
    }

    private void progress(String what) {
        if (terminal.interactive()) {
            terminal.note("%s%n", what);
        }
    }
}

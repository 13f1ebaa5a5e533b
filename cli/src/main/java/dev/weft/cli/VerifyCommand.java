package dev.weft.cli;

import dev.weft.BackendUnavailableException;
import dev.weft.DeviceId;
import dev.weft.WeftException;
import dev.weft.conformance.BatchInvariance;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.conformance.OpRunner;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Op;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import dev.weft.spi.DeviceInfo;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft verify}: what a device's library offers, the operator conformance suite, and a model. */
@Command(
        name = "verify",
        description = {
            "Run the operator conformance suite on a device: every operator against the scalar reference, and rows alone"
                    + " against the same rows among others.",
            "Before that, the functions of an installed library are held against its headers and asked whether they take"
                    + " the operators' calls. Afterwards a model runs node by node and as a whole.",
            "Operands are the same at every run; --rounds adds runs with others."
        })
final class VerifyCommand extends WeftCommand {
    /** Seeds that are drawn are short enough to be typed. */
    private static final long DRAWN_BELOW = 1_000_000_000L;

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "Device, as in cpu:0 or cpu:0/vector. Default: the best.")
    private @Nullable String device;

    @Option(names = "--ops", paramLabel = "PART", description = "Only operators whose name contains this, in any case.")
    private String part = "";

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Worker threads of the CPU. Default: one per processor.")
    private int threads;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            description = "Rounds with fresh random operands, after the suite's own. Default: 0, with --seed 1.")
    private @Nullable Integer rounds;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Seed of the first of these rounds, the next has N + 1; 1 or more. Default: drawn by chance."
                    + " It is printed, and every failure names its own.")
    private @Nullable Long seed;

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            description = "Folder of the checkpoint that runs last. Default: a small one; none with --ops.")
    private @Nullable Path model;

    @Option(
            names = {"-v", "--verbose"},
            description = "Name every case on standard error before it runs: the last one is at fault if a vendor's"
                    + " library ends the process.")
    private boolean verbose;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    VerifyCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() {
        List<OpCase> cases = matching();
        Seeds seeds = seeds();
        BackendConfig config = BackendConfig.DEFAULT.withThreads(ModelOptions.requireThreads(threads));
        Optional<VerifyFunctions> functions;
        Suite suite;
        DeviceInfo info;
        List<String> details;
        try (Backends backends = Backends.load(config);
                VerifyRuns runs = new VerifyRuns(open(backends), backends::device)) {
            info = runs.device().info();
            requireModel(asked(info));
            details = backends.details(info.id().backend());
            functions = VerifyFunctions.of(runs.device(), cases);
            suite = run(cases, seeds, runs);
        }
        Optional<VerifyModel> ran = model(asked(info), config);
        if (json) {
            printJson(info, seeds, details, functions, suite, ran);
        } else {
            print(info, seeds, functions, suite);
            ran.ifPresent(m -> m.print(terminal));
        }
        return passed(suite, ran) ? ExitCode.OK : ExitCode.FAILED;
    }

    /** The device with its variant. */
    private DeviceId asked(DeviceInfo info) {
        return device == null ? info.id() : DeviceId.parse(device);
    }

    private static boolean passed(Suite suite, Optional<VerifyModel> ran) {
        return suite.operators().values().stream().allMatch(t -> t.failed() == 0)
                && suite.rowsAlone().failed() == 0
                && ran.map(VerifyModel::passed).orElse(true);
    }

    private Optional<VerifyModel> model(DeviceId id, BackendConfig config) {
        boolean wanted = model != null || part.isEmpty();
        if (!wanted || VerifyModel.isReference(id)) {
            return Optional.empty();
        }
        try (Backends backends = Backends.load(config)) {
            return Optional.of(VerifyModel.of(backends, id, model));
        } catch (WeftException e) { // what the suite has found is told all the same
            return Optional.of(VerifyModel.failed(model, e.getMessage()));
        }
    }

    /** Refuses a model that cannot run before the suite takes its minutes. */
    private void requireModel(DeviceId id) {
        if (model == null) {
            return;
        }
        if (VerifyModel.isReference(id)) {
            throw new UsageException(
                    "--model: found " + id + ", which others are held against, expected another device");
        }
        ModelConfig.read(model.resolve("config.json"));
    }

    /**
     * Seeds of the rounds.
     *
     * @param first that of the first fresh round
     * @param fresh rounds with fresh operands
     */
    private record Seeds(long first, int fresh) {
        /** That of a round; round 0 is the suite's own. */
        long of(int round) {
            return round == 0 ? OpRunner.SUITE : first + round - 1;
        }
    }

    private Seeds seeds() {
        if (rounds != null && rounds < 0) {
            throw new UsageException("--rounds: found " + rounds + ", expected 0 or more");
        }
        if (seed != null && seed < 1) {
            throw new UsageException("--seed: found " + seed + ", expected 1 or more");
        }
        if (seed != null && rounds != null && rounds == 0) {
            throw new UsageException("--seed: found --rounds 0, expected 1 or more rounds that have a seed");
        }
        int fresh = rounds != null ? rounds : seed != null ? 1 : 0;
        return new Seeds(seed != null ? seed : new SplittableRandom().nextLong(1, DRAWN_BELOW), fresh);
    }

    private List<OpCase> matching() {
        List<OpCase> cases =
                VerifyFunctions.cases().stream().filter(c -> isWanted(c.op())).toList();
        if (cases.isEmpty()) {
            throw new UsageException("--ops: no operator's name contains '" + part + "', expected a part of one of "
                    + OpCases.all().stream().map(c -> c.op().name()).distinct().collect(Collectors.joining(", ")));
        }
        return cases;
    }

    private boolean isWanted(Op op) {
        return op.name().toLowerCase(Locale.ROOT).contains(part.toLowerCase(Locale.ROOT));
    }

    private BackendDevice open(Backends backends) {
        if (device != null) {
            return backends.device(DeviceId.parse(device));
        }
        return backends.devices().stream()
                .findFirst()
                .map(d -> backends.device(d.id()))
                .orElseThrow(() -> new BackendUnavailableException(
                        "no device: every backend is absent: " + KnownBackends.absent(backends.statuses())));
    }

    /**
     * What the suite has found.
     *
     * @param operators by name
     * @param rowsAlone of calls whose rows were computed alone and among others
     */
    private record Suite(Map<String, VerifyTally> operators, VerifyTally rowsAlone) {}

    private Suite run(List<OpCase> cases, Seeds seeds, VerifyRuns runs) {
        Map<String, VerifyTally> tallies = new LinkedHashMap<>();
        VerifyTally rowsAlone = new VerifyTally("rows alone");
        List<BatchInvariance.Case> rows = BatchInvariance.all().stream()
                .filter(c -> isWanted(c.many().op()))
                .toList();
        long total = (long) cases.size() * (1 + seeds.fresh()) + rows.size();
        try (Progress progress = new Progress(terminal, "cases", Progress.Unit.CASES, total)) {
            long done = 0;
            for (int round = 0; round <= seeds.fresh(); round++) {
                for (OpCase c : cases) {
                    name(OpRunner.name(c, seeds.of(round)));
                    tallies.computeIfAbsent(c.op().name(), VerifyTally::new).add(runs.run(c, seeds.of(round)));
                    progress.accept(++done);
                }
            }
            for (BatchInvariance.Case c : rows) {
                name(c.toString());
                rowsAlone.add(runs.run(c));
                progress.accept(++done);
            }
        }
        return new Suite(tallies, rowsAlone);
    }

    private void name(String nextCase) {
        if (verbose) {
            terminal.note("%s%n", nextCase);
        }
    }

    private void printJson(
            DeviceInfo target,
            Seeds seeds,
            List<String> details,
            Optional<VerifyFunctions> functions,
            Suite suite,
            Optional<VerifyModel> ran) {
        ObjectNode root = Json.object();
        root.put("device", asked(target).toString());
        root.put("description", target.description());
        root.put("tier", target.tier());
        root.put("rounds", seeds.fresh());
        if (seeds.fresh() > 0) {
            root.put("seed", seeds.first());
        }
        details.forEach(root.putArray("details")::add);
        functions.ifPresent(f -> f.toJson(root.putArray("functions")));
        ArrayNode operators = root.putArray("operators");
        suite.operators().forEach((name, t) -> t.toJson(operators.addObject().put("operator", name)));
        suite.rowsAlone().toJson(root.putObject("rowsAlone"));
        ran.ifPresent(m -> m.toJson(root.putObject("model")));
        root.put("passed", passed(suite, ran));
        Json.print(terminal, root);
    }

    private void print(DeviceInfo target, Seeds seeds, Optional<VerifyFunctions> functions, Suite suite) {
        Map<String, VerifyTally> tallies = suite.operators();
        terminal.printf("%s (%s)%n", asked(target), target.description());
        functions.ifPresent(f -> f.lines().forEach(line -> terminal.printf("%s%n", line)));
        if (seeds.fresh() > 0) {
            String rounds = seeds.fresh() == 1
                    ? "1 round, seed " + seeds.first()
                    : seeds.fresh() + " rounds, seeds " + seeds.first() + " to " + seeds.of(seeds.fresh());
            terminal.printf("fresh operands: %s%n", rounds);
        }
        tallies.values().forEach(t -> t.print(terminal));
        if (suite.rowsAlone().cases() > 0) {
            suite.rowsAlone().print(terminal);
        }
        terminal.printf(
                "%d operators: %d cases passed, %d failed, %d unsupported%n",
                tallies.size(),
                tallies.values().stream().mapToInt(VerifyTally::passed).sum(),
                tallies.values().stream().mapToInt(VerifyTally::failed).sum()
                        + suite.rowsAlone().failed(),
                tallies.values().stream().mapToInt(VerifyTally::unsupported).sum());
    }
}

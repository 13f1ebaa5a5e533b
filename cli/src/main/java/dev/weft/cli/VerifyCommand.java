package dev.weft.cli;

import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft verify}: the operator conformance suite on a device. */
@Command(
        name = "verify",
        description = "Run the operator conformance suite on a device: every operator against the scalar reference.")
final class VerifyCommand extends WeftCommand {
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

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    VerifyCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() {
        OperatorSuite suite = OperatorSuite.matching(part);
        if (suite.size() == 0) {
            throw new UsageException(
                    "--ops: no operator's name contains '" + part + "', expected a part of " + OperatorSuite.operators());
        }
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(ModelOptions.requireThreads(threads)))) {
            Device target = device == null ? weft.best() : weft.device(device);
            Map<String, VerifyTally> tallies = run(suite, target);
            print(target, tallies);
            return tallies.values().stream().allMatch(t -> t.failed() == 0) ? ExitCode.OK : ExitCode.FAILED;
        }
    }

    private Map<String, VerifyTally> run(OperatorSuite suite, Device target) {
        Map<String, VerifyTally> tallies = new TreeMap<>();
        AtomicLong done = new AtomicLong();
        try (Progress progress = new Progress(terminal, "cases", Progress.Unit.CASES, suite.size())) {
            suite.run(target, result -> {
                tallies.computeIfAbsent(result.operator(), VerifyTally::new).add(result);
                progress.accept(done.incrementAndGet());
            });
        }
        return tallies;
    }

    private void print(Device target, Map<String, VerifyTally> tallies) {
        if (json) {
            ObjectNode root = Json.object();
            root.put("device", target.id().toString());
            root.put("description", target.info().description());
            ArrayNode operators = root.putArray("operators");
            tallies.values().forEach(t -> t.toJson(operators.addObject()));
            root.put("passed", tallies.values().stream().allMatch(t -> t.failed() == 0));
            Json.print(terminal, root);
            return;
        }
        terminal.printf("%s%n", target);
        tallies.values().forEach(t -> t.print(terminal));
        terminal.printf(
                "%d operators: %d cases passed, %d failed, %d unsupported%n",
                tallies.size(),
                tallies.values().stream().mapToInt(VerifyTally::passed).sum(),
                tallies.values().stream().mapToInt(VerifyTally::failed).sum(),
                tallies.values().stream().mapToInt(VerifyTally::unsupported).sum());
    }
}

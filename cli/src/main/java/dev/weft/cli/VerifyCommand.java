package dev.weft.cli;

import dev.weft.BackendUnavailableException;
import dev.weft.DeviceId;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpCases;
import dev.weft.conformance.OpRunner;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import dev.weft.spi.DeviceInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
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
        List<OpCase> cases = matching();
        BackendConfig config = BackendConfig.DEFAULT.withThreads(ModelOptions.requireThreads(threads));
        try (Backends backends = Backends.load(config);
                BackendDevice target = open(backends)) {
            Map<String, VerifyTally> tallies = run(cases, target);
            print(target.info(), tallies);
            return tallies.values().stream().allMatch(t -> t.failed() == 0) ? ExitCode.OK : ExitCode.FAILED;
        }
    }

    private List<OpCase> matching() {
        String wanted = part.toLowerCase(Locale.ROOT);
        List<OpCase> cases = OpCases.all().stream()
                .filter(c -> c.op().name().toLowerCase(Locale.ROOT).contains(wanted))
                .toList();
        if (cases.isEmpty()) {
            throw new UsageException("--ops: no operator's name contains '" + part + "', expected a part of one of "
                    + OpCases.all().stream().map(c -> c.op().name()).distinct().collect(Collectors.joining(", ")));
        }
        return cases;
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

    private Map<String, VerifyTally> run(List<OpCase> cases, BackendDevice target) {
        Map<String, VerifyTally> tallies = new LinkedHashMap<>();
        try (Progress progress = new Progress(terminal, "cases", Progress.Unit.CASES, cases.size())) {
            for (int i = 0; i < cases.size(); i++) {
                OpCase c = cases.get(i);
                tallies.computeIfAbsent(c.op().name(), VerifyTally::new).add(OpRunner.run(target, c));
                progress.accept(i + 1L);
            }
        }
        return tallies;
    }

    private void print(DeviceInfo target, Map<String, VerifyTally> tallies) {
        if (json) {
            ObjectNode root = Json.object();
            root.put("device", device == null ? target.id().toString() : device);
            root.put("description", target.description());
            ArrayNode operators = root.putArray("operators");
            tallies.values().forEach(t -> t.toJson(operators.addObject()));
            root.put("passed", tallies.values().stream().allMatch(t -> t.failed() == 0));
            Json.print(terminal, root);
            return;
        }
        terminal.printf("%s (%s)%n", device == null ? target.id() : device, target.description());
        tallies.values().forEach(t -> t.print(terminal));
        terminal.printf(
                "%d operators: %d cases passed, %d failed, %d unsupported%n",
                tallies.size(),
                tallies.values().stream().mapToInt(VerifyTally::passed).sum(),
                tallies.values().stream().mapToInt(VerifyTally::failed).sum(),
                tallies.values().stream().mapToInt(VerifyTally::unsupported).sum());
    }
}

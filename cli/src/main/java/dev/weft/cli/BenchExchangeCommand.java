package dev.weft.cli;

import dev.weft.bench.ExchangeBench;
import dev.weft.bench.Result;
import dev.weft.bench.Rounds;
import dev.weft.model.config.ModelConfig;
import dev.weft.ranks.Launch;
import dev.weft.ranks.MpiMeasures;
import dev.weft.ranks.Ranks;
import dev.weft.runtime.Device;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceGroups;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench exchange}: the way of rows to the experts of other ranks and back, against MPI's own all-to-all. */
@Command(
        name = "exchange",
        description =
                "Under mpirun or srun: measure dispatch and combine between ranks against MPI_Alltoallv of the same bytes.")
final class BenchExchangeCommand extends WeftCommand {
    @Mixin
    private final BenchOptions options = new BenchOptions();

    @Mixin
    private final RankDeadline deadline = new RankDeadline();

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            split = ",",
            defaultValue = "flash,pro",
            description = "flash, pro, tiny or files of configurations. Default: ${DEFAULT-VALUE}.")
    private List<String> models = List.of();

    @Option(
            names = "--tokens",
            paramLabel = "N",
            split = ",",
            defaultValue = "1,64,512",
            description = "Tokens of every rank. Default: ${DEFAULT-VALUE}.")
    private List<Integer> tokens = List.of();

    BenchExchangeCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        Rounds rounds = options.rounds();
        tokens.forEach(n -> BenchOptions.positive("--tokens", n));
        models.forEach(m -> ConfigPreset.named("--model", m));
        Launch launch = Launch.of(System.getenv());
        if (!launch.isGroup()) {
            throw new UsageException(
                    "bench exchange: found one process, expected ranks: start it under mpirun or srun");
        }
        Map<String, String> same =
                Map.of("weft", Version.text(), "command", options.output().command());
        return Ranks.run(
                launch, deadline.get(), same, world -> run(world, rounds), e -> Errors.rankFailed(terminal, e));
    }

    private int run(Communicator world, Rounds rounds) throws IOException {
        ObjectNode settings = Json.object().put("ranks", world.size()).put("transport", world.transport());
        BenchReport report = new BenchReport("exchange", options, settings, world.rank() == 0 ? terminal : null);
        options.eachDevice(device -> {
            if (device.spi() instanceof DeviceGroups) {
                throw new UsageException(
                        "bench exchange: found " + device.id() + ", expected a device whose rows MPI moves,"
                                + " as cpu:0; measure the others by weft ranks --device");
            }
            for (String model : models) {
                ModelConfig config = ConfigPreset.named("--model", model);
                tokens.forEach(n -> measure(world, device, model, config, n, rounds, report));
            }
        });
        report.write();
        return ExitCode.OK;
    }

    private void measure(
            Communicator world,
            Device device,
            String model,
            ModelConfig config,
            int n,
            Rounds rounds,
            BenchReport report) {
        try (ExchangeBench bench = new ExchangeBench(device, world, peer(world), config, n, options.seed())) {
            for (ExchangeBench.Way way : bench.measure(rounds, done -> {})) {
                Result result = way.result();
                String name = "%s, %d tokens, %s".formatted(model, n, result.name());
                report.add(device, result.named(name), details(model, n, way));
            }
        }
    }

    private static ExchangeBench.Peer peer(Communicator world) {
        MpiMeasures mpi = Ranks.measures(world).orElseThrow();
        return new ExchangeBench.Peer() {
            @Override
            public Runnable allToAllV(long[] sent, long[] received) {
                return mpi.bareAllToAllV(sent, received);
            }

            @Override
            public void countLibrary(boolean on) {
                mpi.countLibrary(on);
            }

            @Override
            public long libraryNanos() {
                return mpi.libraryNanos();
            }
        };
    }

    private static ObjectNode details(String model, int tokens, ExchangeBench.Way way) {
        ObjectNode details = Json.object().put("model", model).put("tokens", tokens);
        details.putObject("peer")
                .put("name", "MPI_Alltoallv")
                .put("p10", way.peerP10())
                .put("median", way.peerMedian());
        details.put("ofPeer", way.ofPeer()).put("ofPeerP10", way.ofPeerP10());
        return details.put("javaSeconds", way.java()).put("groupJavaSeconds", way.groupJava());
    }
}

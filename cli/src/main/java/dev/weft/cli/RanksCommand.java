package dev.weft.cli;

import dev.weft.CommunicatorException;
import dev.weft.ranks.Agreement;
import dev.weft.ranks.Launch;
import dev.weft.ranks.Ranks;
import dev.weft.runtime.Device;
import dev.weft.runtime.Weft;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code weft ranks}: who the ranks are, whether their bytes arrive, and how fast. */
@Command(
        name = "ranks",
        description = "Under a launcher (mpirun, srun): list the ranks, check what they exchange, and measure it.")
final class RanksCommand extends WeftCommand {
    private static final String TAB = "\t";

    /** Width of the hidden state: V4-Flash and V4-Pro. */
    private static final Map<String, Integer> WIDTHS = Map.of("flash", 4096, "pro", 7168);

    private static final List<Integer> TOKENS = List.of(1, 64, 512);

    @Mixin
    private final RankDeadline deadline = new RankDeadline();

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "Also join these devices, as in ascend:local, and let the bytes travel between them.")
    private @Nullable String device;

    RanksCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() {
        Launch launch = Launch.of(System.getenv());
        Map<String, String> configuration = Map.of("weft", Version.text(), "command", "ranks");
        return Ranks.run(
                launch,
                deadline.get(),
                configuration,
                world -> check(launch, world, deadline.get()),
                e -> Errors.rankFailed(terminal, e));
    }

    private int check(Launch launch, Communicator world, Duration limit) {
        if (device == null) {
            return check(launch, world);
        }
        try (Weft weft = Weft.open();
                Device opened = weft.device(LocalDevice.id(device))) {
            BenchOptions.requireHardware(opened.info());
            return checkAll(launch, world.size() == 1 ? world : Ranks.group(world, opened.spi(), limit));
        }
    }

    /** A group whose devices close waits for the others, who would wait for this rank. */
    private int checkAll(Launch launch, Communicator group) {
        try {
            return check(launch, group);
        } catch (RuntimeException | Error e) {
            group.abort(e.toString());
            throw e;
        }
    }

    private int check(Launch launch, Communicator world) {
        list(launch, world);
        RankExchange exchange = new RankExchange(world);
        for (long bytes : new long[] {0, 1, 4099, 1 << 20}) {
            exchange.check(bytes);
        }
        boolean first = world.rank() == 0;
        if (first) {
            terminal.printf("%nbarrier, allGather and allToAllV moved the right bytes%n");
        }
        TextTable table = new TextTable(false, "exchange", "bytes to each rank", "time", "GB/s sent per rank");
        table.add("barrier", "-", Units.duration(exchange.barrierNanos()), "-");
        for (String model : List.of("flash", "pro")) {
            for (int tokens : TOKENS) {
                long bytes = RankExchange.dispatchBytes(WIDTHS.get(model), tokens, world.size());
                long nanos = exchange.allToAllNanos(bytes);
                double rate = Units.rate(bytes * (world.size() - 1), nanos) / 1e9;
                table.add(
                        "dispatch, " + model + ", " + tokens + " tokens",
                        Units.bytes(bytes),
                        Units.duration(nanos),
                        world.size() == 1 ? "-" : Units.decimal(2, rate));
            }
        }
        if (first) {
            terminal.printf("%n");
            table.print(terminal);
        }
        return ExitCode.OK;
    }

    private void list(Launch launch, Communicator world) {
        String local = launch.localRank() < 0 ? "?" : Integer.toString(launch.localRank());
        String mine = String.join(
                TAB, host(), local, Long.toString(ProcessHandle.current().pid()));
        List<String> all = Agreement.texts(world, "ranks", mine);
        if (all.size() != world.size()) {
            throw new CommunicatorException("ranks: found " + all.size() + " answers, expected " + world.size());
        }
        if (world.rank() != 0) {
            return;
        }
        terminal.printf("launcher   %s%n", launch.launcher().title());
        terminal.printf("transport  %s%n%n", world.transport());
        TextTable table = new TextTable(true, "rank", "local rank", "process", "host");
        for (int i = 0; i < all.size(); i++) {
            String[] parts = all.get(i).split(TAB);
            table.add(Integer.toString(i), parts[1], parts[2], parts[0]);
        }
        table.print(terminal);
    }

    private static String host() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            return "unknown";
        }
    }
}

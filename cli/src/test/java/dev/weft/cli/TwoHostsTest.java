package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.cli.TwoHosts.Launcher;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ranks on two hosts with a network between them, and what happens when it is cut. */
@Tag("long")
class TwoHostsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @TempDir
    private Path folder;

    private TwoHosts hosts;

    @BeforeEach
    void open() throws IOException, InterruptedException {
        hosts = TwoHosts.open(folder);
    }

    @AfterEach
    void close() throws InterruptedException {
        hosts.close();
    }

    @ParameterizedTest
    @EnumSource
    void ranksOfTwoHostsWriteWhatOneProcessWrites(Launcher launcher) throws IOException, InterruptedException {
        List<String> command = hosts.launch(launcher);
        LogitsJob.of(folder, "micro", "bf16", LogitsJob.SHORT).requireSame(command);
        LogitsJob.of(folder, "tiny-flash", "bf16", LogitsJob.SHORT).requireSame(command, "--spread=head,output");
        LogitsJob.of(folder, "micro", "bf16", LogitsJob.LONG).requireSame(command, "--spread=context");
    }

    @ParameterizedTest
    @EnumSource
    void aLinkThatIsCutEndsAllRanks(Launcher launcher) throws IOException, InterruptedException {
        MpiLaunch run = cutWhileWorking(hosts.launch(launcher));
        assertThat(run.status()).as(run.output()).isEqualTo(ExitCode.RANKS);
    }

    /** Both ranks say who did not answer, and nothing is left running. */
    private MpiLaunch cutWhileWorking(List<String> launcher) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(launcher);
        Path weft = MpiLaunch.script(folder);
        Path script = Files.writeString(
                folder.resolve("rank.sh"),
                "exec sh '%s' \"$@\" 2> '%s/said.'${OMPI_COMM_WORLD_RANK:-$PMI_RANK}%n".formatted(weft, folder));
        command.addAll(List.of("sh", script.toString(), "generate"));
        command.addAll(List.of(DemoModel.locate(null).toString(), "--prompt", "What is", "--max-tokens", "4000"));
        command.addAll(List.of("--numerics", "fp32", "--threads", "1", "--ranks-deadline", "3"));
        Path output = folder.resolve("cut.txt");
        Process process = MpiLaunch.start(output, command);
        try {
            awaitText(output, process);
            hosts.cut();
            MpiLaunch run = MpiLaunch.ended(process, output);
            for (int rank = 0; rank < 2; rank++) {
                assertThat(said(rank))
                        .as(run.output())
                        .contains("weft: rank " + rank + " of 2 on weft-" + "ab".charAt(rank))
                        .contains("not done after 3.0 s; without answer: rank " + (1 - rank) + " (no sign of life);")
                        .contains("the network between the hosts");
            }
            requireNoneLeft();
            return run;
        } finally {
            process.destroyForcibly();
        }
    }

    private void requireNoneLeft() throws IOException, InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!hosts.running().isEmpty() && System.nanoTime() < end) {
            Thread.sleep(50);
        }
        assertThat(hosts.running()).as("left running").isEmpty();
    }

    private String said(int rank) throws IOException {
        return Files.readString(folder.resolve("said." + rank), StandardCharsets.UTF_8);
    }

    private static void awaitText(Path output, Process process) throws IOException, InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (Files.size(output) == 0 && process.isAlive() && System.nanoTime() < end) {
            Thread.sleep(10);
        }
        assertThat(process.isAlive())
                .as("at work: %s", Files.readString(output, StandardCharsets.UTF_8))
                .isTrue();
    }
}

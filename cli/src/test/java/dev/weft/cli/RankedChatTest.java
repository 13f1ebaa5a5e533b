package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code weft chat} over two ranks, whose user thinks longer than ranks wait for each other. */
@Tag("long")
class RankedChatTest {
    private static final Duration PATIENCE = Duration.ofSeconds(40);
    private static final int DEADLINE_SECONDS = 2;
    private static final String FIRST = "What is a hacker?\n";
    private static final String SECOND = "What is a bug?\n";

    @TempDir
    private Path folder;

    private static List<String> chat() {
        return List.of(
                "chat",
                DemoModel.locate(null).toString(),
                "--numerics",
                "fp32",
                "--device",
                "cpu:0",
                "--max-tokens",
                "8",
                "--temperature",
                "0",
                "--ranks-deadline",
                Integer.toString(DEADLINE_SECONDS));
    }

    private Process start(String launcher) throws IOException {
        List<String> command = new ArrayList<>(List.of(launcher.split(" ")));
        MpiLaunch.requireInstalled(command.getFirst());
        command.addAll(List.of("-n", "2", "sh", MpiLaunch.script(folder).toString()));
        command.addAll(chat());
        command.add("--threads=1");
        return new ProcessBuilder(command)
                .redirectOutput(out().toFile())
                .redirectError(err().toFile())
                .start();
    }

    private Path out() {
        return folder.resolve("out.txt");
    }

    private Path err() {
        return folder.resolve("err.txt");
    }

    @Test
    void ranksWaitForTheUser() throws IOException, InterruptedException {
        Process process = start("mpirun.openmpi --allow-run-as-root --oversubscribe");
        try {
            say(process, FIRST);
            awaitAnswers(1, process);
            Thread.sleep(Duration.ofSeconds(DEADLINE_SECONDS + 1));
            say(process, SECOND);
            awaitAnswers(2, process);
            process.getOutputStream().close();
            MpiLaunch run = MpiLaunch.ended(process, err());
            assertThat(run.status()).as(run.output()).isZero();
            Run alone = Run.withInput(FIRST + SECOND, chat().toArray());
            assertThat(Files.readString(out(), StandardCharsets.UTF_8)).isEqualTo(alone.out());
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void aRankThatStopsMeanwhileEndsTheChat() throws IOException, InterruptedException {
        Process process = start("mpirun.mpich");
        try {
            say(process, FIRST);
            awaitAnswers(1, process);
            long follower = process.descendants()
                    .mapToLong(ProcessHandle::pid)
                    .filter(RankedChatTest::isSecondRank)
                    .findFirst()
                    .orElseThrow();
            new ProcessBuilder("kill", "-STOP", Long.toString(follower)).start().waitFor();
            MpiLaunch run = MpiLaunch.ended(process, err());
            assertThat(run.status()).as(run.output()).isEqualTo(ExitCode.RANKS);
            assertThat(run.output())
                    .containsOnlyOnce("weft: rank 0 of 2")
                    .contains("allGather 'start of step'", "without answer: rank 1 (no sign of life);");
            ProcessHandle.of(follower)
                    .ifPresent(left -> assertThat(left.onExit()).succeedsWithin(Duration.ofSeconds(10)));
        } finally {
            process.destroyForcibly();
        }
    }

    private static boolean isSecondRank(long pid) {
        try {
            String command = Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
            String variables = Files.readString(Path.of("/proc/" + pid + "/environ"), StandardCharsets.ISO_8859_1);
            return command.contains(Main.class.getName()) && variables.contains("PMI_RANK=1\0");
        } catch (IOException e) {
            return false; // it has ended meanwhile
        }
    }

    private static void say(Process process, String line) throws IOException {
        process.getOutputStream().write(line.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    private void awaitAnswers(int count, Process process) throws IOException, InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (lines() < count && process.isAlive() && System.nanoTime() < end) {
            Thread.sleep(20);
        }
        assertThat(lines()).as(Files.readString(err(), StandardCharsets.UTF_8)).isEqualTo(count);
    }

    private long lines() throws IOException {
        return Files.readString(out(), StandardCharsets.UTF_8)
                .chars()
                .filter(c -> c == '\n')
                .count();
    }
}

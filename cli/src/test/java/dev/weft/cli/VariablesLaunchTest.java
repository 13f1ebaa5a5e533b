package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.model.GoldenModel;
import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two processes that only variables make ranks. */
class VariablesLaunchTest {
    private static final long LIMIT_SECONDS = 60;

    @TempDir
    private Path folder;

    private record Ended(int code, String printed) {}

    /** Runs {@code weft logits} on both ranks. */
    private List<Ended> run(String device, Map<String, String> environment) throws IOException, InterruptedException {
        int port;
        try (ServerSocket server = new ServerSocket(0)) {
            port = server.getLocalPort();
        }
        List<Process> processes = new ArrayList<>();
        for (int rank = 0; rank < 2; rank++) {
            Path ids = Files.writeString(folder.resolve("ids.json"), "[1, 2, 3]");
            ProcessBuilder builder = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:+UseSerialGC",
                            "-XX:TieredStopAtLevel=1",
                            "--enable-native-access=ALL-UNNAMED",
                            "-cp",
                            classPath(),
                            Main.class.getName(),
                            "logits",
                            GoldenModel.micro().directory().toString(),
                            "--tokens",
                            ids.toString(),
                            "--split",
                            "2",
                            "--device",
                            device,
                            "--ranks-deadline",
                            "20",
                            "--out",
                            folder.resolve("logits.safetensors").toString())
                    .redirectErrorStream(true)
                    .redirectOutput(output(rank).toFile());
            builder.environment().putAll(environment);
            builder.environment()
                    .putAll(Map.of(
                            "RANK", Integer.toString(rank),
                            "LOCAL_RANK", Integer.toString(rank),
                            "WORLD_SIZE", "2",
                            "MASTER_ADDR", "127.0.0.1",
                            "MASTER_PORT", Integer.toString(port)));
            processes.add(builder.start());
        }
        List<Ended> all = new ArrayList<>();
        for (int rank = 0; rank < 2; rank++) {
            boolean ended = processes.get(rank).waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
            String printed = Files.readString(output(rank), StandardCharsets.UTF_8);
            assertThat(ended).as(printed).isTrue();
            all.add(new Ended(processes.get(rank).exitValue(), printed));
        }
        return all;
    }

    private Path output(int rank) {
        return folder.resolve("output" + rank + ".txt");
    }

    private static String classPath() {
        return Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }

    @Test
    void ranksOnCpusHaveNoTransport() throws IOException, InterruptedException {
        assertThat(run("cpu:0", Map.of())).allSatisfy(ended -> {
            assertThat(ended.code()).as(ended.printed()).isEqualTo(ExitCode.RANKS);
            assertThat(ended.printed()).contains("(variables): found no transport", "mpirun", "ascend");
        });
    }

    /** They meet, take a device each and agree; emulated devices of two processes cannot be joined, which HCCL says in time. */
    @Test
    void ranksOnDevicesAreJoinedByHccl() throws IOException, InterruptedException {
        Path home = Path.of("..", "backend-ascend", "target", "cann-emulator", "cann")
                .toAbsolutePath()
                .normalize();
        Path given = Path.of(System.getProperty("weft.ascend.home", home.toString()));
        Assumptions.assumeTrue(
                Files.exists(given.resolve("lib64/libacl_rt.so")), () -> "the CANN emulator is not in " + given);
        List<Ended> all = run(
                "ascend:local",
                Map.of(
                        "JDK_JAVA_OPTIONS", "-Dweft.ascend.home=" + given,
                        "WEFT_EMULATOR_DEVICES", "2",
                        "WEFT_EMULATOR_HCCL_TIMEOUT", "0.5"));
        for (int rank = 0; rank < 2; rank++) {
            assertThat(all.get(rank).code()).as(all.get(rank).printed()).isEqualTo(ExitCode.RANKS);
            assertThat(all.get(rank).printed())
                    .contains(
                            "rank " + rank + " of 2 on ascend:" + rank + ": join of group world",
                            "HCCL_E_TIMEOUT (9)",
                            "HCCL_CONNECT_TIMEOUT");
        }
    }
}

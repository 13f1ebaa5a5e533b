package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The recipe that judges a CUDA machine ({@code native/cuda/acceptance/accept.sh}), dry, with some of its phases. */
@Tag("long")
class AcceptanceTest {
    private static final Path RECIPE =
            Path.of("..", "native", "cuda", "acceptance").toAbsolutePath().normalize();
    private static final long LIMIT_SECONDS = 120;
    private static final List<String> COLUMNS =
            List.of("phase", "case", "result", "ours_us", "yardstick_us", "of_limit", "remark");

    @TempDir
    private Path pack;

    private record Ended(int code, String printed) {}

    /** What pack.sh packs, with a command that runs the classes under test. */
    @BeforeEach
    void unpack() throws IOException {
        Files.copy(RECIPE.resolve("accept.sh"), pack.resolve("accept.sh"));
        Path weft = Files.createDirectory(pack.resolve("weft")).resolve("weft");
        Files.writeString(
                weft,
                "#!/bin/sh\nexec '" + Path.of(System.getProperty("java.home"), "bin", "java")
                        + "' -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED --add-modules"
                        + " jdk.incubator.vector"
                        + " -Dweft.nvrtc.path='" + pack.resolve("none") + "'" // the pack is all that counts
                        + " $WEFT_JAVA_OPTS"
                        + " -cp '" + classPath() + "' " + Main.class.getName() + " \"$@\"\n");
        Files.setPosixFilePermissions(weft, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static String classPath() {
        return Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }

    private Ended accept(Path emulator, String phases) throws IOException, InterruptedException {
        Path log = pack.resolve("accept.log");
        Process process = new ProcessBuilder(
                        "bash",
                        pack.resolve("accept.sh").toString(),
                        "--dry",
                        emulator.toString(),
                        "--only",
                        phases,
                        "--out",
                        results().toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        String printed = Files.readString(log);
        assertThat(ended).as(printed).isTrue();
        return new Ended(process.exitValue(), printed);
    }

    private Path results() {
        return pack.resolve("results");
    }

    private List<JsonNode> rows() throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        new JsonMapper()
                .readTree(Files.readString(results().resolve("results.json")))
                .forEach(rows::add);
        assertThat(rows).allSatisfy(r -> assertThat(r.propertyNames()).containsExactlyInAnyOrderElementsOf(COLUMNS));
        assertThat(Files.readAllLines(results().resolve("table.csv")))
                .hasSize(1 + rows.size())
                .first()
                .isEqualTo(String.join(",", COLUMNS));
        return rows;
    }

    private static Path emulator() {
        Path lib = Path.of(System.getProperty("weft.cuda.path", "../backend-cuda/target/cuda-emulator/lib"));
        Assumptions.assumeTrue(
                Files.exists(lib.resolve("libcuda.so.1")), () -> "the CUDA emulator is not in " + lib.toAbsolutePath());
        return lib.toAbsolutePath().normalize().getParent();
    }

    @Test
    void aDryRunPassesAndTellsNoSpeed() throws IOException, InterruptedException {
        Ended ended = accept(emulator(), "verify,yardstick,gemm,layer,memcheck");
        assertThat(ended.code()).as(ended.printed()).isZero();
        List<JsonNode> rows = rows();
        assertThat(ended.printed()).endsWith(rows.size() + " rows, 0 failed\n");
        assertThat(rows.stream()
                        .map(r -> r.path("phase").asString() + " "
                                + r.path("result").asString()))
                .containsExactly(
                        "devices pass",
                        "build info",
                        "yardstick absent",
                        "verify pass",
                        "gemm absent",
                        "layer absent",
                        "memcheck absent");
        assertThat(rows).allSatisfy(r -> {
            assertThat(r.path("ours_us").asString()).isEmpty();
            assertThat(r.path("of_limit").asString()).isEmpty();
        });
        assertThat(rows.get(1).path("remark").asString()).startsWith("kernels: sources ");
        assertThat(Files.readString(results().resolve("verify.log")))
                .contains("EMULATOR", "fresh operands: 1 round, seed ", " 0 failed")
                .containsPattern("[1-9][0-9]* cases passed");
    }

    /** A pack without images for the device runs what the driver compiles, which is not what is to be judged. */
    @Test
    void aPackWithoutTheDevicesImagesFails(@TempDir Path machine) throws IOException, InterruptedException {
        Path emulator = emulator();
        Files.createSymbolicLink(machine.resolve("lib"), emulator.resolve("lib"));
        Path images = Files.createDirectory(machine.resolve("images"));
        try (Stream<Path> all = Files.list(emulator.resolve("images"))) {
            for (Path ptx : all.filter(f -> f.toString().endsWith(".ptx")).toList()) {
                Files.copy(ptx, images.resolve(ptx.getFileName()));
            }
        }
        assertThat(accept(machine, "layer").code()).isEqualTo(2);
        assertThat(rows())
                .filteredOn(r -> r.path("result").asString().equals("FAIL"))
                .allSatisfy(r -> assertThat(r.path("phase").asString()).isEqualTo("images"))
                .extracting(r -> r.path("remark").asString())
                .anySatisfy(remark -> assertThat(remark).endsWith("plain.compute_80.ptx"))
                .anySatisfy(remark -> assertThat(remark).startsWith("slower kernels "));
    }

    @Test
    void aMachineWithoutADriverFails(@TempDir Path empty) throws IOException, InterruptedException {
        Ended ended = accept(empty, "verify");
        assertThat(ended.code()).isPositive();
        assertThat(rows()).last().satisfies(r -> {
            assertThat(r.path("result").asString()).isEqualTo("FAIL");
            assertThat(r.path("remark").asString()).isEqualTo("no such device");
        });
    }
}

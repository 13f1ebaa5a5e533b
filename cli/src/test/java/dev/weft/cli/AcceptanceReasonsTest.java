package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.cli.AcceptancePack.Ended;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What the recipe that judges a CUDA machine says of what it could not do, and what it leaves alone. */
class AcceptanceReasonsTest {
    private AcceptancePack pack;

    @BeforeEach
    void unpack(@TempDir Path folder) throws IOException {
        pack = new AcceptancePack(folder);
    }

    private static void command(Path file, String... lines) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** The row of a phase, of which there is one. */
    private JsonNode row(String phase) throws IOException {
        List<JsonNode> rows = pack.rows().stream()
                .filter(r -> r.path("phase").asString().equals(phase))
                .toList();
        assertThat(rows).as(phase).hasSize(1);
        return rows.getFirst();
    }

    @Test
    void aCommandThatFailsIsNoMissingDevice() throws IOException, InterruptedException {
        command(pack.weft(), "echo cannot start", "exit 3");
        Ended ended = pack.accept("--only", "graph");
        assertThat(ended.code()).as(ended.printed()).isEqualTo(1);
        assertThat(row("devices").path("remark").asString())
                .startsWith("exit code 3")
                .endsWith("cannot start");
    }

    @Test
    void tabsOfARemarkAreNoColumns() throws IOException, InterruptedException {
        command(pack.weft(), "printf 'cuda:0 H200\\nkernels: sources\\tof today\\n'");
        Ended ended = pack.accept("--only", "graph");
        assertThat(ended.code()).as(ended.printed()).isZero();
        assertThat(row("build").path("remark").asString()).isEqualTo("kernels: sources of today");
    }

    @Test
    void aYardstickThatIsAbsentSaysWhy() throws IOException, InterruptedException {
        command(pack.weft(), "echo cuda:0 H200");
        command(pack.file("tools").resolve("python3"), "echo 'CUDA driver is too old' >&2", "exit 7");
        Ended ended = pack.run(List.of(
                "env",
                "PATH=" + pack.file("tools") + ":" + System.getenv("PATH"),
                "bash",
                pack.file("accept.sh").toString(),
                "--only",
                "yardstick",
                "--out",
                pack.results().toString()));
        assertThat(ended.code()).as(ended.printed()).isZero();
        assertThat(row("yardstick").path("result").asString()).isEqualTo("absent");
        assertThat(row("yardstick").path("remark").asString())
                .matches(
                        "python3 with torch that finds a device: exit code 7 after \\d+ s, see torch.log: CUDA driver is too old");
    }

    /** A tool for which no time is left has found nothing because it has not looked. */
    @Test
    void whatNeverBeganHasFoundNothing() throws IOException, InterruptedException {
        command(pack.file("tools").resolve("compute-sanitizer"), "exit 124");
        Ended ended = pack.run(
                List.of(
                        "bash",
                        "-c",
                        "cd '" + pack.file(".")
                                + "'; PATH=$PWD/tools:$PATH; plan=; out=.; rows=rows; planned=0; most=570; weft=; device=;"
                                + " . ./steps.sh; sanitize memcheck gemm 60 2>/dev/null; SECONDS=570; sanitize racecheck topK 25; cat rows"));
        assertThat(ended.printed().split("\n"))
                .satisfiesExactly(
                        line -> assertThat(line)
                                .startsWith("memcheck\tgemm\tinfo")
                                .endsWith("s, nothing found"),
                        line -> assertThat(line)
                                .startsWith("racecheck\ttopK\tabsent")
                                .endsWith("\tno time left"));
    }

    @Test
    void packingLeavesOtherFilesOfItsFolder(@TempDir Path folder) throws IOException, InterruptedException {
        Path distribution = folder.resolve("weft");
        command(distribution.resolve("weft"), "exit 0");
        new JarOutputStream(Files.newOutputStream(distribution.resolve("weft-backend-cuda-1.jar"))).close();
        Path out = folder.resolve("out");
        Path other = Files.createDirectories(out).resolve("other");
        Files.writeString(other, "of somebody else");
        Path stale = Files.createDirectories(out.resolve("pack")).resolve("stale");
        Files.writeString(stale, "of the pack before");
        Ended ended = pack.run(List.of(
                "env",
                "JAVA_HOME=" + System.getProperty("java.home"),
                "WEFT_DISTRIBUTION=" + distribution,
                "sh",
                AcceptancePack.recipe("pack.sh").toString(),
                out.toString()));
        assertThat(ended.code()).as(ended.printed()).isZero();
        assertThat(other).hasContent("of somebody else");
        assertThat(stale).doesNotExist();
        assertThat(out.resolve("weft-acceptance.tgz")).isNotEmptyFile();
    }
}

package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.cli.AcceptancePack.Ended;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The recipe that judges a CUDA machine ({@code native/cuda/acceptance/accept.sh}): dry and rehearsed. */
@Tag("long")
class AcceptanceTest {
    /** What no CPU tells: shares of torch's speed, of FP8 products, launches, and what the host adds to a device's time. */
    private static final Set<String> OF_DEVICES = Set.of("of_yardstick", "of_fp8_floor", "launches", "host_us");

    private static boolean needsDevice(String[] bar) {
        return OF_DEVICES.contains(bar[2]) || (bar[1] + bar[2]).contains(" /"); // a variant
    }

    private AcceptancePack pack;

    @BeforeEach
    void unpack(@TempDir Path folder) throws IOException {
        pack = new AcceptancePack(folder);
    }

    @Test
    void aDryRunPassesAndTellsNoSpeed() throws IOException, InterruptedException {
        Ended ended = pack.accept(AcceptancePack.emulator(), "verify,yardstick,gemm,layer,memcheck");
        assertThat(ended.code()).as(ended.printed()).isZero();
        List<JsonNode> rows = pack.rows();
        assertThat(ended.printed())
                .contains("0 bars met, 0 missed, " + AcceptancePack.bars().size() + " not measured: "
                        + AcceptancePack.bars().getFirst()[0] + ";")
                .endsWith(rows.size() + " rows, 0 failed\n");
        assertThat(rows.stream()
                        .filter(r -> !r.path("phase").asString().equals("bar"))
                        .map(r -> r.path("phase").asString() + " "
                                + r.path("result").asString()))
                .containsExactly(
                        "devices pass",
                        "build info",
                        "verify pass",
                        "yardstick absent",
                        "gemm absent",
                        "layer absent",
                        "memcheck absent");
        assertThat(rows).allSatisfy(r -> {
            assertThat(r.path("ours_us").asString()).isEmpty();
            assertThat(r.path("of_limit").asString()).isEmpty();
        });
        assertThat(rows.get(1).path("remark").asString()).startsWith("kernels: sources ");
        assertThat(Files.readString(pack.results().resolve("verify.log")))
                .contains("EMULATOR", "fresh operands: 1 round, seed ", " 0 failed")
                .containsPattern("[1-9][0-9]* cases passed");
    }

    /** Whatever a bar is held against has a row of that name, though small shapes on a CPU say nothing of speed. */
    @Test
    void aRehearsalMeasuresWhatTheBarsAsk() throws IOException, InterruptedException {
        Ended ended = pack.accept("--rehearse", "--only", "gemm,piece,layer");
        assertThat(ended.code()).as(ended.printed()).isZero();
        assertThat(ended.printed()).contains("A REHEARSAL on the CPU");
        List<JsonNode> rows = pack.rows();
        assertThat(rows)
                .filteredOn(r -> r.path("verdict").asString().equals("not measured"))
                .extracting(r -> r.path("case").asString())
                .containsExactlyElementsOf(AcceptancePack.bars().stream()
                        .filter(AcceptanceTest::needsDevice)
                        .map(bar -> bar[0])
                        .toList());
        assertThat(rows)
                .filteredOn(r -> r.path("verdict").asString().matches("met|MISSED"))
                .hasSize((int) AcceptancePack.bars().stream()
                        .filter(bar -> !needsDevice(bar))
                        .count())
                .allSatisfy(
                        r -> assertThat(r.path("remark").asString()).matches("-?[0-9].*")); // below a floor in caches
        assertThat(rows)
                .filteredOn(r -> r.path("ours_us").asString().matches("[0-9]+\\.[0-9]"))
                .filteredOn(r -> !r.path("case").asString().matches("(topk|sample) .*")) // they read what caches hold
                .allSatisfy(r -> assertThat(r.path("of_limit").asString()).matches("[0-9]+\\.[0-9][0-9]"))
                .extracting(r -> r.path("case").asString())
                .contains("square mxfp4 m=4096", "experts m=1", "prefill m=4096", "stack b=128", "stack apart b=1");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--only 'verify, gemm' | --only: found ' gemm', expected some of verify verify-apart ",
                "--only nothing        | --only: found 'nothing'",
                "--only                | --only: found ''",
                "--dry --rehearse      | --dry: found '--rehearse', expected its value",
                "--out /dev/null/x     | --out: found '/dev/null/x', expected a folder that can be made",
            },
            quoteCharacter = '`')
    void whatIsAskedForWronglyIsRefused(String options, String message) throws IOException, InterruptedException {
        Ended ended = pack.run(List.of("bash", "-c", "'" + pack.file("accept.sh") + "' " + options));
        assertThat(ended.code()).isEqualTo(100);
        assertThat(ended.printed()).contains("accept.sh: " + message);
    }

    @Test
    void whatAPhaseSaysIsQuoted() throws IOException, InterruptedException {
        Files.writeString(pack.weft(), "#!/bin/sh\nprintf '%s\\n' 'C:\\n \"x\"'\nexit 3\n");
        assertThat(pack.accept("--only", "graph").code()).isEqualTo(1);
        assertThat(pack.rows().getFirst().path("remark").asString()).endsWith("see devices.log: C:\\n \"x\"");
    }

    @Test
    void thePhasesFitIntoTenMinutes() throws IOException, InterruptedException {
        Ended ended = pack.accept("--plan");
        assertThat(ended.code()).isZero();
        List<String> lines = ended.printed().lines().toList();
        int sum = lines.subList(0, lines.size() - 1).stream()
                .mapToInt(line -> Integer.parseInt(line.strip().split(" ")[0]))
                .sum();
        assertThat(sum).isBetween(300, 570);
        assertThat(lines.getLast()).startsWith(sum + " s in all, " + (570 - sum) + " s of 570 left");
        assertThat(pack.results()).isEmptyDirectory();
    }

    /** A pack without images for the device runs what the driver compiles, which is not what is to be judged. */
    @Test
    void aPackWithoutTheDevicesImagesFails(@TempDir Path machine) throws IOException, InterruptedException {
        Path emulator = AcceptancePack.emulator();
        Files.createSymbolicLink(machine.resolve("lib"), emulator.resolve("lib"));
        Path images = Files.createDirectory(machine.resolve("images"));
        try (Stream<Path> all = Files.list(emulator.resolve("images"))) {
            for (Path ptx : all.filter(f -> f.toString().endsWith(".ptx")).toList()) {
                Files.copy(ptx, images.resolve(ptx.getFileName()));
            }
        }
        assertThat(pack.accept(machine, "layer").code()).isEqualTo(2);
        assertThat(pack.rows())
                .filteredOn(r -> r.path("result").asString().equals("FAIL"))
                .allSatisfy(r -> assertThat(r.path("phase").asString()).isEqualTo("images"))
                .extracting(r -> r.path("remark").asString())
                .anySatisfy(remark -> assertThat(remark).endsWith("plain.compute_80.ptx"))
                .anySatisfy(remark -> assertThat(remark).startsWith("slower kernels "));
    }

    @Test
    void aMachineWithoutADriverFails(@TempDir Path empty) throws IOException, InterruptedException {
        Ended ended = pack.accept(empty, "verify");
        assertThat(ended.code()).isPositive();
        assertThat(pack.rows())
                .filteredOn(r -> r.path("result").asString().equals("FAIL"))
                .last()
                .satisfies(r -> assertThat(r.path("remark").asString()).isEqualTo("no such device"));
    }
}

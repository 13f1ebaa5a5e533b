package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The recipe that judges a CUDA machine ({@code native/cuda/acceptance/accept.sh}): dry, rehearsed, and its arithmetic. */
@Tag("long")
class AcceptanceTest {
    private static final Path RECIPE =
            Path.of("..", "native", "cuda", "acceptance").toAbsolutePath().normalize();
    private static final long LIMIT_SECONDS = 120;
    private static final List<String> COLUMNS =
            List.of("phase", "case", "result", "ours_us", "yardstick_us", "of_limit", "bar", "verdict", "remark");

    /** What no CPU tells: shares of torch's speed, of FP8 products, launches, and what the host adds to a device's time. */
    private static final Set<String> OF_DEVICES = Set.of("of_yardstick", "of_fp8_floor", "launches", "host_us");

    private static boolean needsDevice(String[] bar) {
        return OF_DEVICES.contains(bar[2]) || bar[2].endsWith(" cublaslt");
    }

    @TempDir
    private Path pack;

    private record Ended(int code, String printed) {}

    /** What pack.sh packs, with a command that runs the classes under test. */
    @BeforeEach
    void unpack() throws IOException {
        for (String file : List.of("accept.sh", "bars.tsv", "facts.awk", "judge.awk")) {
            Files.copy(RECIPE.resolve(file), pack.resolve(file));
        }
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
        return accept("--dry", emulator.toString(), "--only", phases);
    }

    private Ended accept(String... options) throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of("bash", pack.resolve("accept.sh").toString()));
        command.addAll(List.of(options));
        command.addAll(List.of("--out", results().toString()));
        return run(command);
    }

    private Ended run(List<String> command) throws IOException, InterruptedException {
        Path log = pack.resolve("accept.log");
        Process process = new ProcessBuilder(command)
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

    /** Bars as they stand in the file: name, case, measure, comparison, value, unit, source. */
    private static List<String[]> bars() throws IOException {
        return Files.readAllLines(RECIPE.resolve("bars.tsv")).stream()
                .filter(line -> !line.startsWith("#"))
                .map(line -> line.split("\t"))
                .toList();
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
        assertThat(ended.printed())
                .contains("0 bars met, 0 missed, " + bars().size() + " not measured: " + bars().getFirst()[0] + ";")
                .endsWith(rows.size() + " rows, 0 failed\n");
        assertThat(rows.stream()
                        .filter(r -> !r.path("phase").asString().equals("bar"))
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

    /** Whatever a bar is held against has a row of that name, though small shapes on a CPU say nothing of speed. */
    @Test
    void aRehearsalMeasuresWhatTheBarsAsk() throws IOException, InterruptedException {
        Ended ended = accept("--rehearse", "--only", "gemm,piece,layer");
        assertThat(ended.code()).as(ended.printed()).isZero();
        assertThat(ended.printed()).contains("A REHEARSAL on the CPU");
        List<JsonNode> rows = rows();
        assertThat(rows)
                .filteredOn(r -> r.path("verdict").asString().equals("not measured"))
                .extracting(r -> r.path("case").asString())
                .containsExactlyElementsOf(bars().stream()
                        .filter(AcceptanceTest::needsDevice)
                        .map(bar -> bar[0])
                        .toList());
        assertThat(rows)
                .filteredOn(r -> r.path("verdict").asString().matches("met|MISSED"))
                .hasSize((int) bars().stream().filter(bar -> !needsDevice(bar)).count())
                .allSatisfy(r -> assertThat(r.path("remark").asString()).matches("[0-9].*"));
        assertThat(rows)
                .filteredOn(r -> r.path("ours_us").asString().matches("[0-9]+\\.[0-9]"))
                .filteredOn(r -> !r.path("case").asString().startsWith("topk")) // reads what caches hold
                .allSatisfy(r -> assertThat(r.path("of_limit").asString()).matches("[0-9]+\\.[0-9][0-9]"))
                .extracting(r -> r.path("case").asString())
                .contains("square mxfp4 m=4096", "experts m=1", "prefill m=4096", "stack b=128", "stack overlap b=1");
    }

    /** Lines as a device of FP8 products writes them: 2 copies of 60 MB in 40 us, 50 us by torch. */
    @Test
    void aDevicesLinesBecomeFactsAndVerdicts() throws IOException, InterruptedException {
        Path log = pack.resolve("piece.log");
        Files.writeString(log, """
                weft: a warning
                {"benchmark":"piece","clock":"device","work":"experts","kernel":"expertGemm","m":1,"copies":2,"bytes":120000000,\
                "flops":90000000000,"seconds.median":4.0E-5,"gbps":3000.0,"gflops":2250000.0,"limit.kind":"read",\
                "limit.value":4.0E12,"ofLimit":0.75,"ceilings.read":4.0E12,"ceilings.fp8Dot":1.5E15}
                {"benchmark":"layer","clock":"device","work":"layer window","batch":1,"bytes":1,"flops":1,"seconds.median":1.0E-3,\
                "gbps":1.0,"gflops":1.0,"limit.kind":"read","limit.value":4.0E12,"ofLimit":0.9,"ceilings.read":4.0E12,\
                "floorSeconds":9.0E-4,"timesFloor":1.36,"hostSeconds":1.95E-5,"launches":68}
                {"benchmark":"gemm","clock":"device","device":"cuda:0/cublaslt","weights":"bf16","m":1,"kernel":"gemm/mma","seconds.median":1.0E-5}
                weft: gemm: computed by a kernel of our own
                {"benchmark":"gemm","clock":"device","device":"cuda:0/cublaslt","weights":"bf16","m":4096,"kernel":"gemm/cublaslt","seconds.median":1.0E-5}
                {"benchmark":"gemm","clock":"device","device":"cuda:0/cublaslt","weights":"fp8","m":4096,"kernel":"gemm/cublaslt","seconds.median":1.0E-5}
                """);
        Path sticks = Files.writeString(pack.resolve("sticks.tsv"), "experts m=1\t50.0\ta loop\n");
        Path facts = pack.resolve("facts.tsv");
        Ended table = run(List.of(
                "awk",
                "-v",
                "phase=piece",
                "-v",
                "suffix=",
                "-v",
                "sticks=" + sticks,
                "-v",
                "facts=" + facts,
                "-f",
                pack.resolve("facts.awk").toString(),
                log.toString()));
        assertThat(table.code()).as(table.printed()).isZero();
        assertThat(table.printed().split("\n"))
                .satisfiesExactly(
                        line -> assertThat(line)
                                .startsWith(
                                        "piece\texperts m=1\tmeasured\t20.0\t50.0\t0.75\t\t\texpertGemm, 3000 GB/s"),
                        line -> assertThat(line)
                                .startsWith("piece\tstack b=1\tmeasured\t1000.0\t\t0.90\t")
                                .endsWith("1.36 times the sum of floors, host 19.5 us, 68 launches"),
                        line -> assertThat(line).startsWith("piece\t bf16 m=1 cublaslt\tabsent"),
                        line -> assertThat(line).startsWith("piece\t bf16 m=4096 cublaslt\tabsent"),
                        line -> assertThat(line).startsWith("piece\t fp8 m=4096 cublaslt\tmeasured\t10.0"));
        assertThat(Files.readAllLines(facts))
                .contains(
                        "experts m=1\tgbps\t3000.0",
                        "experts m=1\tof_yardstick\t2.5",
                        "experts m=1\tof_fp8_floor\t1.5", // 60 us of FP8 products
                        "experts m=1\tover_floor_us\t5",
                        "stack b=1\thost_us\t19.5")
                .noneMatch(fact -> fact.startsWith(" bf16")); // a library's speed that is our own kernel's
        assertThat(verdicts(facts, ""))
                .containsExactly(
                        "experts decode, 1 token: met",
                        "experts decode, 1 token, goal: MISSED",
                        "4 layers, 1 sequence: MISSED",
                        "host time of a step: met");
        assertThat(verdicts(facts, "NVIDIA H100"))
                .containsExactly(
                        "experts decode, 1 token: not judged",
                        "experts decode, 1 token, goal: not judged",
                        "4 layers, 1 sequence: MISSED", // of what the same machine would do at best
                        "host time of a step: not judged");
    }

    /** Bars that were measured, with their verdicts. @param machine that is no H200 */
    private List<String> verdicts(Path facts, String machine) throws IOException, InterruptedException {
        String judge = pack.resolve("judge.awk").toString();
        String bars = pack.resolve("bars.tsv").toString();
        List<String> judged = run(List.of("awk", "-v", "machine=" + machine, "-f", judge, bars, facts.toString()))
                .printed()
                .lines()
                .toList();
        assertThat(judged).hasSameSizeAs(bars());
        return judged.stream()
                .filter(line -> !line.contains("not measured"))
                .map(line -> line.split("\t")[1] + ": " + line.split("\t")[7])
                .toList();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--only 'verify, gemm' | --only: found ' gemm', expected some of yardstick verify ",
                "--only nothing        | --only: found 'nothing'",
                "--only                | --only: found ''",
                "--dry --rehearse      | --dry: found '--rehearse', expected its value",
                "--out /dev/null/x     | --out: found '/dev/null/x', expected a folder that can be made",
            },
            quoteCharacter = '`')
    void whatIsAskedForWronglyIsRefused(String options, String message) throws IOException, InterruptedException {
        Ended ended = run(List.of("bash", "-c", "'" + pack.resolve("accept.sh") + "' " + options));
        assertThat(ended.code()).isEqualTo(100);
        assertThat(ended.printed()).contains("accept.sh: " + message);
    }

    @Test
    void whatAPhaseSaysIsQuoted() throws IOException, InterruptedException {
        Files.writeString(pack.resolve("weft").resolve("weft"), "#!/bin/sh\nprintf '%s\\n' 'C:\\n \"x\"'\nexit 3\n");
        assertThat(accept("--only", "graph").code()).isEqualTo(2);
        assertThat(rows().getFirst().path("remark").asString()).endsWith("see devices.log: C:\\n \"x\"");
    }

    @Test
    void thePhasesFitIntoTenMinutes() throws IOException, InterruptedException {
        Ended ended = accept("--plan");
        assertThat(ended.code()).isZero();
        List<String> lines = ended.printed().lines().toList();
        int sum = lines.subList(0, lines.size() - 1).stream()
                .mapToInt(line -> Integer.parseInt(line.strip().split(" ")[0]))
                .sum();
        assertThat(sum).isBetween(300, 570);
        assertThat(lines.getLast()).startsWith(sum + " s in all, " + (570 - sum) + " s of 570 left");
        assertThat(results()).isEmptyDirectory();
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
        assertThat(rows())
                .filteredOn(r -> r.path("result").asString().equals("FAIL"))
                .last()
                .satisfies(r -> assertThat(r.path("remark").asString()).isEqualTo("no such device"));
    }
}

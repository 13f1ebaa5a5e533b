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
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What {@code native/cuda/acceptance/pack.sh} packs, in a folder, with a command that runs the classes under test. */
final class AcceptancePack {
    private static final Path RECIPE =
            Path.of("..", "native", "cuda", "acceptance").toAbsolutePath().normalize();
    private static final long LIMIT_SECONDS = 120;
    private static final List<String> COLUMNS =
            List.of("phase", "case", "result", "ours_us", "yardstick_us", "of_limit", "bar", "verdict", "remark");

    private final Path folder;

    /** What a command did. */
    record Ended(int code, String printed) {}

    /** Unpacks into an empty folder. */
    AcceptancePack(Path folder) throws IOException {
        this.folder = folder;
        try (Stream<Path> recipe = Files.list(RECIPE)) {
            for (Path file : recipe.filter(Files::isRegularFile).toList()) {
                Files.copy(file, file(file.getFileName().toString()));
            }
        }
        Files.createDirectory(file("weft"));
        Files.writeString(
                weft(),
                "#!/bin/sh\nexec '" + Path.of(System.getProperty("java.home"), "bin", "java")
                        + "' -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED --add-modules"
                        + " jdk.incubator.vector"
                        + " -Dweft.nvrtc.path='" + file("none") + "'" // the pack is all that counts
                        + " $WEFT_JAVA_OPTS"
                        + " -cp '" + classPath() + "' " + Main.class.getName() + " \"$@\"\n");
        Files.setPosixFilePermissions(weft(), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** A file of the pack. */
    Path file(String name) {
        return folder.resolve(name);
    }

    /** A file that packs are made of, or with, where it is kept. */
    static Path recipe(String name) {
        return RECIPE.resolve(name);
    }

    /** The command. */
    Path weft() {
        return file("weft").resolve("weft");
    }

    /** Where the results of a run are. */
    Path results() {
        return file("results");
    }

    private static String classPath() {
        return Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }

    /** A dry run of some phases. @param emulator folder of an emulator */
    Ended accept(Path emulator, String phases) throws IOException, InterruptedException {
        return accept("--dry", emulator.toString(), "--only", phases);
    }

    /** Runs accept.sh. */
    Ended accept(String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("bash", file("accept.sh").toString()));
        command.addAll(List.of(options));
        command.addAll(List.of("--out", results().toString()));
        return run(command);
    }

    Ended run(List<String> command) throws IOException, InterruptedException {
        Path log = file("accept.log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        String printed = Files.readString(log);
        assertThat(ended).as(printed).isTrue();
        return new Ended(process.exitValue(), printed);
    }

    /** The table of the last run, whose two forms agree. */
    List<JsonNode> rows() throws IOException {
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
    static List<String[]> bars() throws IOException {
        return Files.readAllLines(RECIPE.resolve("bars.tsv")).stream()
                .filter(line -> !line.startsWith("#"))
                .map(line -> line.split("\t"))
                .toList();
    }

    /** The folder of the emulator that the build made; skips the test where there is none. */
    static Path emulator() {
        Path lib = Path.of(System.getProperty("weft.cuda.path", "../backend-cuda/target/cuda-emulator/lib"));
        Assumptions.assumeTrue(
                Files.exists(lib.resolve("libcuda.so.1")), () -> "the CUDA emulator is not in " + lib.toAbsolutePath());
        return lib.toAbsolutePath().normalize().getParent();
    }
}

package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The command as ranks of an MPI launcher.
 *
 * @param status of the launcher
 * @param output what the launcher and all ranks wrote
 */
record RankedRun(int status, String output) {
    private static final long LIMIT_SECONDS = 120;

    /** @param launcher with its options */
    static RankedRun of(Path folder, String launcher, int ranks, List<String> arguments)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(launcher.split(" ")));
        command.addAll(List.of("-n", Integer.toString(ranks)));
        command.addAll(List.of("sh", weft(folder).toString()));
        command.addAll(arguments);
        Path output = folder.resolve("output.txt");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        String printed = Files.readString(output, StandardCharsets.UTF_8);
        assertThat(ended).as(printed).isTrue();
        return new RankedRun(process.exitValue(), printed);
    }

    /** Skips the test where the launcher is not installed, unless it is required. */
    static void requireInstalled(String launcher) {
        String name = launcher.split(" ")[0];
        boolean there = Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(place -> Files.isExecutable(Path.of(place, name)));
        if (!"require".equals(System.getProperty("weft.mpi"))) {
            assumeTrue(there, name + " is not installed");
        }
        assertThat(there).as(name + " is installed").isTrue();
    }

    /** A script as the real one is: Open MPI edits the options of what is called java. */
    private static Path weft(Path folder) throws IOException {
        String library = System.getProperty("weft.native.library", "");
        String line =
                "exec '%s' -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED %s -cp '%s' %s \"$@\"%n"
                        .formatted(
                                Path.of(System.getProperty("java.home"), "bin", "java"),
                                library.isEmpty() ? "" : "-Dweft.native.library=" + library,
                                classPath(),
                                Main.class.getName());
        return Files.writeString(folder.resolve("weft.sh"), line);
    }

    private static String classPath() {
        return Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }
}

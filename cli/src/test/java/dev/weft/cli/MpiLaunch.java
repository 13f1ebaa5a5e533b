package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * {@code weft} in processes of an MPI launcher.
 *
 * @param status exit status of the launcher
 * @param output what launcher and ranks wrote
 */
record MpiLaunch(int status, String output) {
    private static final long LIMIT_SECONDS = 120;

    /** Skips the test where a launcher is not installed, unless it is required. */
    static void requireInstalled(String launcher) {
        boolean there = Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(place -> Files.isExecutable(Path.of(place, launcher)));
        if (!"require".equals(System.getProperty("weft.mpi"))) {
            assumeTrue(there, launcher + " is not installed");
        }
        assertThat(there).as(launcher + " is installed").isTrue();
    }

    /** A script as the real one is: Open MPI edits the options of what is called java. */
    static Path script(Path folder) throws IOException {
        return script(folder, Main.class);
    }

    /** @param program a class of this module or its tests */
    static Path script(Path folder, Class<?> program) throws IOException {
        String library = System.getProperty("weft.native.library", "");
        String line =
                "exec '%s' -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED %s -cp '%s' %s \"$@\"%n"
                        .formatted(
                                Path.of(System.getProperty("java.home"), "bin", "java"),
                                library.isEmpty() ? "" : "-Dweft.native.library=" + library,
                                folderOf(program) + File.pathSeparator + classPath(),
                                program.getName());
        return Files.writeString(folder.resolve("weft.sh"), line);
    }

    /** On the module path the folder of the tests is not on the class path. */
    private static Path folderOf(Class<?> program) {
        String file = program.getName().replace('.', '/') + ".class";
        String url = program.getResource("/" + file).toString();
        return Path.of(URI.create(url.substring(0, url.length() - file.length())));
    }

    private static String classPath() {
        return Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }

    /** Runs to the end. @param folder for what is printed */
    static MpiLaunch of(Path folder, List<String> command) throws IOException, InterruptedException {
        Path output = folder.resolve("output.txt");
        Process process = start(output, command);
        return ended(process, output);
    }

    /** Starts a launcher whose ranks have no input. */
    static Process start(Path output, List<String> command) throws IOException {
        return new ProcessBuilder(command)
                .redirectInput(new File("/dev/null"))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
    }

    /** Waits for the end. */
    static MpiLaunch ended(Process process, Path output) throws IOException, InterruptedException {
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly();
        }
        String printed = Files.readString(output, StandardCharsets.UTF_8);
        assertThat(ended).as(printed).isTrue();
        return new MpiLaunch(process.exitValue(), printed);
    }
}

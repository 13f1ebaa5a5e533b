package dev.weft.ranks.mpi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.ranks.Ranks;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Ranks that an MPI launcher ran.
 *
 * @param status of the launcher
 * @param output what the launcher and all ranks wrote
 */
record MpiRun(int status, String output) {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** An MPI library with its launcher, both from Debian's packages. */
    enum Library {
        OPEN_MPI("openmpi-bin libopenmpi3", "Open MPI", "mpirun.openmpi", "--allow-run-as-root", "--oversubscribe"),
        MPICH("mpich libmpich12", "MPICH", "mpirun.mpich");

        private final String packages;
        private final String title;
        private final List<String> launcher;

        Library(String packages, String title, String... launcher) {
            this.packages = packages;
            this.title = title;
            this.launcher = List.of(launcher);
        }

        /** As in the version of the library. */
        String title() {
            return title;
        }

        private boolean isInstalled() {
            return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                    .anyMatch(folder -> Files.isExecutable(Path.of(folder, launcher.getFirst())));
        }
    }

    /** Runs {@link RankProgram}; the test is skipped where the library is not installed, unless it is required. */
    static MpiRun of(Library library, int ranks, List<String> javaOptions, String... arguments) throws Exception {
        if (!"require".equals(System.getProperty("weft.mpi"))) {
            assumeTrue(library.isInstalled(), library.title + " is not installed: " + library.packages);
        }
        String token = "weft-test-" + UUID.randomUUID();
        List<String> command = new ArrayList<>(library.launcher);
        command.addAll(List.of(
                "-n",
                Integer.toString(ranks),
                Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m"));
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dtoken=" + token));
        command.addAll(javaOptions);
        command.addAll(List.of("-cp", classPath(), RankProgram.class.getName()));
        command.addAll(Arrays.asList(arguments));
        Path output = Files.createTempFile("weft-ranks", ".txt");
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            boolean ended = process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS);
            String text = Files.readString(output, StandardCharsets.UTF_8);
            assertThat(ended).as("ended within %s; output:%n%s", LIMIT, text).isTrue();
            requireNoneLeft(token);
            return new MpiRun(process.exitValue(), text);
        } finally {
            Files.delete(output);
        }
    }

    /** What one rank said of its failure. */
    String said(int rank) {
        String prefix = "rank " + rank + " says: ";
        return output.lines()
                .filter(line -> line.startsWith(prefix))
                .map(line -> line.substring(prefix.length()))
                .reduce("", String::concat);
    }

    private static void requireNoneLeft(String token) throws InterruptedException {
        long end = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        List<Long> left = running(token);
        while (!left.isEmpty() && System.nanoTime() < end) {
            Thread.sleep(50);
            left = running(token);
        }
        left.forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
        assertThat(left).as("processes left running").isEmpty();
    }

    private static List<Long> running(String token) {
        return ProcessHandle.allProcesses()
                .filter(p -> commandLine(p.pid()).contains(token))
                .map(ProcessHandle::pid)
                .toList();
    }

    private static String commandLine(long pid) {
        try {
            return Files.readString(Path.of("/proc", Long.toString(pid), "cmdline"), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return ""; // it has ended meanwhile
        }
    }

    /** On the module path the folders of this module are not on the class path. */
    private static String classPath() {
        List<String> entries = new ArrayList<>(List.of(folder(RankProgram.class), folder(Ranks.class)));
        for (String property : List.of("java.class.path", "jdk.module.path")) {
            String path = System.getProperty(property, "");
            if (!path.isEmpty()) {
                entries.add(path);
            }
        }
        return String.join(File.pathSeparator, entries);
    }

    private static String folder(Class<?> type) {
        String file = type.getName().replace('.', '/') + ".class";
        String url = type.getResource("/" + file).toString();
        String folder = url.substring(0, url.length() - file.length());
        return folder.startsWith("jar:")
                ? Path.of(URI.create(folder.substring("jar:".length(), folder.length() - "!/".length())))
                        .toString()
                : Path.of(URI.create(folder)).toString();
    }
}

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Builds an emulator of a device with CMake for the tests of a backend. Run by Maven as a single-file program:
 *
 * <pre>BuildEmulator.java (auto|require|skip) NAME SOURCES BUILD_DIRECTORY</pre>
 *
 * <p>The result is for tests only and goes into no artifact. CMake decides what to compile anew.
 */
final class BuildEmulator {
    private BuildEmulator() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        if (args.length != 4 || !List.of("auto", "require", "skip").contains(args[0])) {
            System.err.println("weft.native must be auto, require or skip; got: " + String.join(" ", args));
            System.exit(2);
        }
        if (args[0].equals("skip")) {
            return;
        }
        String reason = build(Path.of(args[2]), Path.of(args[3]));
        if (!reason.isEmpty()) {
            System.err.println(args[1] + " emulator NOT built, tests on it are skipped: " + reason);
            System.exit(args[0].equals("require") ? 1 : 0);
        }
    }

    /** Configures and builds. Returns why it could not, empty on success. */
    private static String build(Path sources, Path build) throws IOException, InterruptedException {
        String cmake = find("cmake");
        String compiler = System.getenv("CXX") != null ? System.getenv("CXX") : find("g++", "clang++", "c++");
        if (!System.getProperty("os.name").equals("Linux") || cmake == null || compiler == null) {
            return "it needs Linux, cmake and a C++ compiler";
        }
        if (!Files.isRegularFile(sources.resolve("CMakeLists.txt"))) {
            return "its sources in " + sources + " are missing";
        }
        Files.createDirectories(build);
        Path log = build.resolve("build.log");
        Files.deleteIfExists(log);
        List<String> configure = new ArrayList<>(
                List.of(cmake, "-S", sources.toString(), "-B", build.toString(), "-DCMAKE_CXX_COMPILER=" + compiler));
        if (!Files.exists(build.resolve("CMakeCache.txt")) && find("ninja") != null) {
            configure.addAll(List.of("-G", "Ninja"));
        }
        int jobs = Math.max(1, Runtime.getRuntime().availableProcessors());
        List<String> compile = List.of(cmake, "--build", build.toString(), "--parallel", Integer.toString(jobs));
        for (List<String> command : List.of(configure, compile)) {
            if (call(command, log) != 0) {
                List<String> lines = Files.readAllLines(log, StandardCharsets.ISO_8859_1);
                lines.subList(Math.max(0, lines.size() - 60), lines.size()).forEach(System.err::println);
                return "\"" + String.join(" ", command.subList(0, 2)) + "\" failed; see " + log;
            }
        }
        return "";
    }

    private static int call(List<String> command, Path log) throws IOException, InterruptedException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start()
                .waitFor();
    }

    private static String find(String... programs) {
        String[] folders = System.getenv().getOrDefault("PATH", "").split(":");
        return Arrays.stream(programs)
                .flatMap(program -> Arrays.stream(folders).map(folder -> Path.of(folder, program)))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse(null);
    }
}

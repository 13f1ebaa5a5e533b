import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Builds the native kernels with CMake and lays them out as resources of the native jar. Run by Maven as a single-file
 * program:
 *
 * <pre>BuildNative.java (auto|require|skip) PLATFORM PROJECT_DIRECTORY TARGET_DIRECTORY</pre>
 *
 * <p>Writes {@code TARGET/classes/META-INF/weft/native/PLATFORM/native.properties} in every case, so that a program
 * without native kernels can say why. Does nothing when sources, compiler and flags are those of the last build.
 */
final class BuildNative {
    private static final String LIBRARY = "libweft_cpu.so";

    /** The kernels cannot be built here, for a reason that a person can read. */
    private static final class NotBuilt extends Exception {
        private static final long serialVersionUID = 1;

        NotBuilt(String reason) {
            super(reason);
        }
    }

    private final String platform;
    private final Path project;
    private final Path work;
    private final Path log;
    private final Path output;

    private BuildNative(String platform, Path project, Path target) {
        this.platform = platform;
        this.project = project;
        this.work = target.resolve("cmake");
        this.log = target.resolve("native-build.log");
        this.output = target.resolve("classes/META-INF/weft/native").resolve(platform);
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 4 || !List.of("auto", "require", "skip").contains(args[0])) {
            System.err.println("weft.native must be auto, require or skip; got: " + String.join(" ", args));
            System.exit(2);
        }
        BuildNative build = new BuildNative(args[1], Path.of(args[2]), Path.of(args[3]));
        try {
            if (args[0].equals("skip")) {
                throw new NotBuilt("switched off when Weft was built (-Dweft.native=skip)");
            }
            build.run();
        } catch (NotBuilt e) {
            build.recordAbsent(e.getMessage());
            if (args[0].equals("require")) {
                System.err.println("native kernels NOT built, and -Dweft.native=require was given: " + e.getMessage());
                System.exit(1);
            }
            if (args[0].equals("auto")) {
                System.err.println("native kernels NOT built: " + e.getMessage());
            }
        }
    }

    private void run() throws NotBuilt, IOException, InterruptedException {
        if (platform.equals("unsupported")) {
            throw new NotBuilt("no native kernels for " + System.getProperty("os.name") + " "
                    + System.getProperty("os.arch") + "; the Java kernels are used");
        }
        if (!Files.isRegularFile(project.resolve("src/main/cpp/dispatch.cpp"))) {
            throw new NotBuilt("the sources in native/src/main/cpp are missing");
        }
        String cmake = find("cmake");
        String compiler = System.getenv("CXX") != null ? System.getenv("CXX") : find("g++", "clang++", "c++");
        if (cmake == null || compiler == null || find("ninja", "make") == null) {
            String missing = cmake == null ? "cmake" : compiler == null ? "a C++ compiler" : "make";
            throw new NotBuilt(
                    missing + " not found; the Java kernels are used. To get the native ones, install them with:"
                            + " apt-get install g++ cmake make");
        }
        String inputs = inputs(compiler);
        Path library = output.resolve(LIBRARY);
        Properties last = lastBuild();
        if (inputs.equals(last.getProperty("inputs"))
                && Files.isRegularFile(library)
                && sha256(Files.readAllBytes(library)).equals(last.getProperty("sha256"))) {
            return;
        }

        Files.createDirectories(work);
        Files.deleteIfExists(log);
        List<String> configure = new ArrayList<>(List.of(
                cmake,
                "-S",
                project.toString(),
                "-B",
                work.toString(),
                "-DCMAKE_CXX_COMPILER=" + compiler,
                "-DWEFT_CANN_EMULATOR=OFF", // the tests that need an emulator build it
                "-DWEFT_CUDA_EMULATOR=OFF"));
        if (!Files.exists(work.resolve("CMakeCache.txt")) && find("ninja") != null) {
            configure.addAll(List.of("-G", "Ninja"));
        }
        if (call(configure) != 0) {
            deleteTree(work); // the cache may be of another generator, compiler or folder
            Files.createDirectories(work);
            require(configure);
        }
        int jobs = Math.max(1, Runtime.getRuntime().availableProcessors());
        require(List.of(cmake, "--build", work.toString(), "--parallel", Integer.toString(jobs)));

        Files.createDirectories(output);
        Files.copy(work.resolve(LIBRARY), library, StandardCopyOption.REPLACE_EXISTING);
        String levels = Files.readString(work.resolve("levels.txt")).strip();
        Map<String, String> properties = new TreeMap<>();
        properties.put("status", "built");
        properties.put("platform", platform);
        properties.put("library", LIBRARY);
        properties.put("levels", levels);
        properties.put("sha256", sha256(Files.readAllBytes(library)));
        properties.put("inputs", inputs);
        write(properties);
        System.err.println("native kernels built for " + platform + ": " + levels);
    }

    private void recordAbsent(String reason) throws IOException {
        Files.deleteIfExists(output.resolve(LIBRARY));
        Map<String, String> properties = new TreeMap<>();
        properties.put("status", "absent");
        properties.put("platform", platform);
        properties.put("reason", reason);
        write(properties);
    }

    /** One hash over everything that decides what the library is. */
    private String inputs(String compiler) throws NotBuilt, IOException, InterruptedException {
        MessageDigest digest = digest();
        digest.update(text(String.join("\n", compiler, version(compiler), env("CXXFLAGS"), env("LDFLAGS"), "")));
        List<Path> files = new ArrayList<>(List.of(project.resolve("CMakeLists.txt")));
        for (String folder : List.of("src/main/cpp", "include")) {
            if (Files.isDirectory(project.resolve(folder))) {
                try (Stream<Path> sources = Files.walk(project.resolve(folder))) {
                    sources.filter(Files::isRegularFile).sorted().forEach(files::add);
                }
            }
        }
        for (Path file : files) {
            digest.update(text(project.relativize(file).toString() + '\n'));
            digest.update(digest().digest(Files.readAllBytes(file)));
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private Properties lastBuild() throws IOException {
        Properties properties = new Properties();
        Path file = output.resolve("native.properties");
        if (Files.isRegularFile(file)) {
            try (var reader = Files.newBufferedReader(file)) {
                properties.load(reader);
            }
        }
        return properties;
    }

    /** Without the date that {@link Properties#store} adds: two builds give equal files. */
    private void write(Map<String, String> properties) throws IOException {
        Files.createDirectories(output);
        StringBuilder text = new StringBuilder();
        properties.forEach((key, value) -> text.append(key)
                .append('=')
                .append(value.replace("\\", "\\\\").replace("\n", "\\n"))
                .append('\n'));
        Files.writeString(output.resolve("native.properties"), text);
    }

    private void require(List<String> command) throws NotBuilt, IOException, InterruptedException {
        int code = call(command);
        if (code != 0) {
            List<String> lines = Files.readAllLines(log, StandardCharsets.ISO_8859_1);
            lines.subList(Math.max(0, lines.size() - 60), lines.size()).forEach(System.err::println);
            throw new NotBuilt("\"" + String.join(" ", command.subList(0, 2)) + "\" failed with code " + code
                    + "; see native/target/" + log.getFileName());
        }
    }

    private int call(List<String> command) throws IOException, InterruptedException {
        ProcessBuilder process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        process.environment().put("LC_ALL", "C");
        return process.start().waitFor();
    }

    private static String version(String compiler) throws NotBuilt, IOException, InterruptedException {
        try {
            Process process = new ProcessBuilder(compiler, "--version")
                    .redirectErrorStream(true)
                    .start();
            String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor(1, TimeUnit.MINUTES) && process.exitValue() == 0) {
                return text;
            }
            throw new NotBuilt("the C++ compiler " + compiler + " does not run: " + text.strip());
        } catch (IOException e) {
            throw new NotBuilt("the C++ compiler " + compiler + " does not run: " + e.getMessage());
        }
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

    private static void deleteTree(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private static String env(String name) {
        return System.getenv().getOrDefault(name, "");
    }

    private static byte[] text(String value) {
        return value.getBytes(StandardCharsets.UTF_8);
    }

    private static String sha256(byte[] bytes) {
        return HexFormat.of().formatHex(digest().digest(bytes));
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}

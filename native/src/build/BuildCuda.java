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
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Compiles the CUDA kernels with nvcc, where it is on the PATH or in CUDA_HOME, and puts their texts beside the images, for
 * NVRTC. A single-file program:
 *
 * <pre>
 * BuildCuda.java (default|published|all|none|TARGET,...) SOURCES WORK IMAGES   images for the jar, run by Maven
 * BuildCuda.java (check|update) SOURCES WORK                                   the compile gate
 * </pre>
 *
 * <p>The gate compiles every kernel for every machine target and compares what each needs with {@code SOURCES/resources.tsv}. It
 * fails on a difference, on a warning, and on a stack frame or spills without a reason in the last column. {@code update}
 * writes the table anew and keeps the reasons. What has not changed is not compiled again: WORK keeps for each image a hash
 * of the command and the files it was made of.
 */
final class BuildCuda {
    private static final List<String> MACHINES = List.of("sm_80", "sm_89", "sm_90a", "sm_100f", "sm_120f");
    private static final String PTX = "compute_80";
    private static final List<String> ALL =
            Stream.concat(MACHINES.stream(), Stream.of(PTX)).toList();
    private static final List<String> DEFAULT = List.of("sm_90a", PTX);
    private static final int AT_ONCE = 2;

    private final String nvcc;
    private final String version;
    private final Path sources;
    private final Path work;

    private BuildCuda(String nvcc, Path sources, Path work) throws IOException, InterruptedException {
        this.nvcc = nvcc;
        this.sources = sources;
        this.work = work;
        Files.createDirectories(work);
        Path log = work.resolve("version.log");
        call(List.of(nvcc, "--version"), log);
        Matcher m = Pattern.compile("V(\\d+\\.\\d+\\.\\d+)").matcher(Files.readString(log));
        this.version = m.find() ? m.group(1) : "unknown";
    }

    public static void main(String[] args) throws Exception {
        boolean gate = args.length == 3 && List.of("check", "update").contains(args[0]);
        if (!gate && args.length != 4) {
            System.err.println("usage: BuildCuda.java (default|published|all|none|TARGET,...) SOURCES WORK IMAGES"
                    + " or (check|update) SOURCES WORK; got: " + String.join(" ", args));
            System.exit(2);
        }
        if (!gate) {
            deliverSources(Path.of(args[1]), Path.of(args[3]).resolve("source"));
        }
        if (args[0].equals("none")) {
            keepOnly(List.of(), Path.of(args[3]));
            return;
        }
        List<String> targets = gate
                ? MACHINES
                : switch (args[0]) {
                    case "all", "published" -> ALL;
                    case "default" -> DEFAULT;
                    default -> List.of(args[0].split(","));
                };
        if (!ALL.containsAll(targets)) {
            System.err.println("weft.cuda.targets: found " + args[0]
                    + ", expected default, published, all, none or some of " + ALL);
            System.exit(2);
        }
        String nvcc = find("nvcc");
        if (nvcc == null) {
            System.err.println("CUDA kernels NOT compiled: no nvcc on the PATH or in CUDA_HOME/bin");
            System.exit(gate || List.of("default", "published").contains(args[0]) ? 0 : 1);
        }
        BuildCuda build = new BuildCuda(nvcc, Path.of(args[1]), Path.of(args[2]));
        List<Image> images = build.images(targets);
        List<String> failures = build.compile(images);
        if (failures.isEmpty() && gate) {
            failures = build.compare(images, args[0].equals("update"));
        } else if (failures.isEmpty()) {
            build.deliver(images, Path.of(args[3]));
        }
        failures.forEach(System.err::println);
        System.exit(failures.isEmpty() ? 0 : 1);
    }

    private record Image(String module, String target) {
        boolean isPtx() {
            return target.equals(PTX);
        }

        String file() {
            return module + "." + target + (isPtx() ? ".ptx" : ".cubin");
        }
    }

    private List<Image> images(List<String> targets) throws IOException {
        try (Stream<Path> files = Files.list(sources.resolve("kernels"))) {
            return files.map(f -> f.getFileName().toString())
                    .filter(f -> f.endsWith(".cu"))
                    .sorted()
                    .flatMap(f -> targets.stream().map(t -> new Image(f.substring(0, f.length() - 3), t)))
                    .toList();
        }
    }

    // compiling

    /** Returns what failed. */
    private List<String> compile(List<Image> images) throws InterruptedException, ExecutionException {
        List<String> failures = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE)) {
            List<Future<String>> results = new ArrayList<>();
            for (Image image : images) {
                results.add(pool.submit(() -> compile(image)));
            }
            for (Future<String> result : results) {
                if (!result.get().isEmpty()) {
                    failures.add(result.get());
                }
            }
        }
        return failures;
    }

    private String compile(Image image) throws IOException, InterruptedException {
        Path made = work.resolve(image.file());
        Path dependencies = work.resolve(image.file() + ".d");
        Path hash = work.resolve(image.file() + ".hash");
        List<String> command = List.of(
                nvcc,
                "-std=c++20",
                "--fmad=false",
                "-arch=" + image.target(),
                image.isPtx() ? "-ptx" : "-cubin",
                "-Xptxas",
                "-v",
                "-MD",
                "-MF",
                dependencies.toString(),
                "-I",
                sources.resolve("include").toString(),
                "-o",
                made.toString(),
                sources.resolve("kernels").resolve(image.module() + ".cu").toString());
        if (Files.exists(made) && Files.exists(hash) && Files.readString(hash).equals(hash(command, dependencies))) {
            return "";
        }
        Files.deleteIfExists(hash);
        Path log = log(image);
        if (call(command, log) != 0) {
            return image.file() + " does not compile:\n" + Files.readString(log);
        }
        Files.writeString(hash, hash(command, dependencies));
        return "";
    }

    private Path log(Image image) {
        return work.resolve(image.file() + ".log");
    }

    /** Of the command, the compiler's version and our files that the image depends on. */
    private String hash(List<String> command, Path dependencies) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update((version + command).getBytes(StandardCharsets.UTF_8));
            for (String word : Files.readString(dependencies).split("[\\s\\\\]+")) {
                Path file = Path.of(word);
                if (file.startsWith(sources)) {
                    digest.update(Files.exists(file) ? Files.readAllBytes(file) : new byte[0]);
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** Copies what changed, with a note of what it was made of, and removes images that nothing stands for any more. */
    private void deliver(List<Image> images, Path folder) throws IOException, InterruptedException {
        Files.createDirectories(folder);
        String about = "build.properties";
        Files.writeString(
                work.resolve(about),
                "commit=" + commit() + "\nnvcc=" + version + "\nsources="
                        + Files.readString(folder.resolve("source/hash")) + "\n");
        List<String> wanted = Stream.concat(images.stream().map(Image::file), Stream.of(about))
                .toList();
        keepOnly(wanted, folder);
        for (String name : wanted) {
            copy(work.resolve(name), folder.resolve(name));
        }
    }

    /** The commit that the kernels are of, with a plus if files differ from it; unknown outside of a repository. */
    private String commit() throws IOException, InterruptedException {
        Path log = work.resolve("commit.log");
        String git = find("git");
        if (git == null || call(List.of(git, "-C", sources.toString(), "rev-parse", "HEAD"), log) != 0) {
            return "unknown";
        }
        String head = Files.readString(log).strip();
        call(List.of(git, "-C", sources.toString(), "status", "--porcelain", "."), log);
        return head + (Files.readString(log).isBlank() ? "" : "+");
    }

    /** Copies kernels and headers, with a list of their names and a hash of names and contents. */
    private static void deliverSources(Path sources, Path folder) throws IOException, NoSuchAlgorithmException {
        List<String> names;
        try (Stream<Path> files = Files.walk(sources)) {
            names = files.map(f -> sources.relativize(f).toString())
                    .filter(name -> name.endsWith(".cu") || name.endsWith(".cuh"))
                    .sorted()
                    .toList();
        }
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (String name : names) {
            byte[] text = Files.readAllBytes(sources.resolve(name));
            digest.update((name + "\n" + text.length + "\n").getBytes(StandardCharsets.UTF_8));
            digest.update(text);
        }
        String hash = HexFormat.of().formatHex(digest.digest());
        Path known = folder.resolve("hash");
        if (Files.exists(known) && Files.readString(known).equals(hash)) {
            return;
        }
        if (Files.isDirectory(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
        for (String name : names) {
            Files.createDirectories(folder.resolve(name).getParent());
            copy(sources.resolve(name), folder.resolve(name));
        }
        Files.writeString(folder.resolve("index"), String.join("\n", names));
        Files.writeString(known, hash);
    }

    private static void copy(Path from, Path to) throws IOException {
        if (!Files.exists(to) || Files.mismatch(from, to) >= 0) {
            Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** Removes images of an earlier build. */
    private static void keepOnly(List<String> wanted, Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                if (!wanted.contains(file.getFileName().toString())) {
                    Files.delete(file);
                }
            }
        }
    }

    // the table of resources

    private static final Pattern FUNCTION = Pattern.compile("Function properties for (\\S+)");
    private static final Pattern STACK =
            Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");
    private static final Pattern USED = Pattern.compile("Used (\\d+) registers");
    private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
    private static final Pattern COMPLAINT = Pattern.compile("warning|\\(C7\\d+\\)");

    private static final String HEAD =
            "kernel\ttarget\tregisters\tshared\tstack\tspilled\twhy stack or spills are accepted";

    /** @param why empty for none */
    private record Row(int registers, int shared, int stack, int spilled, String why) {
        String numbers() {
            return registers + "\t" + shared + "\t" + stack + "\t" + spilled;
        }
    }

    /** Needs of every kernel, by "module/kernel TAB target", as ptxas reported them. */
    private Map<String, Row> reported(List<Image> images, List<String> failures) throws IOException {
        Map<String, Row> rows = new TreeMap<>();
        for (Image image : images) {
            String function = "";
            int stack = 0;
            int spilled = 0;
            for (String line : Files.readAllLines(log(image))) {
                Matcher m;
                if ((m = FUNCTION.matcher(line)).find()) {
                    function = m.group(1);
                } else if ((m = STACK.matcher(line)).find()) {
                    stack = Integer.parseInt(m.group(1));
                    spilled = Math.max(Integer.parseInt(m.group(2)), Integer.parseInt(m.group(3)));
                } else if ((m = USED.matcher(line)).find()) {
                    Matcher shared = SHARED.matcher(line);
                    rows.put(
                            image.module() + "/" + function + "\t" + image.target(),
                            new Row(
                                    Integer.parseInt(m.group(1)),
                                    shared.find() ? Integer.parseInt(shared.group(1)) : 0,
                                    stack,
                                    spilled,
                                    ""));
                } else if (COMPLAINT.matcher(line).find()) {
                    failures.add(image.file() + ": " + line.strip());
                }
            }
        }
        return rows;
    }

    private List<String> compare(List<Image> images, boolean update) throws IOException {
        List<String> failures = new ArrayList<>();
        Path table = sources.resolve("resources.tsv");
        List<String> lines = Files.exists(table) ? Files.readAllLines(table) : List.of("# nvcc none", HEAD);
        Map<String, Row> known = new TreeMap<>();
        for (String line : lines.subList(2, lines.size())) {
            String[] cell = line.split("\t", -1);
            known.put(
                    cell[0] + "\t" + cell[1],
                    new Row(
                            Integer.parseInt(cell[2]),
                            Integer.parseInt(cell[3]),
                            Integer.parseInt(cell[4]),
                            Integer.parseInt(cell[5]),
                            cell[6]));
        }
        Map<String, Row> found = reported(images, failures);
        found.forEach((kernel, row) -> {
            boolean isAccepted =
                    known.containsKey(kernel) && !known.get(kernel).why().isEmpty();
            if ((row.stack() != 0 || row.spilled() != 0) && !isAccepted) {
                failures.add(
                        kernel + ": " + row.stack() + " bytes of stack, " + row.spilled() + " spilled, and no reason");
            }
        });
        String head = "# nvcc " + version;
        if (update) {
            List<String> out = new ArrayList<>(List.of(head, HEAD));
            found.forEach((kernel, row) -> out.add(kernel + "\t" + row.numbers() + "\t"
                    + (known.containsKey(kernel) ? known.get(kernel).why() : "")));
            Files.write(table, out);
        } else if (lines.getFirst().equals(head)) {
            Map<String, Row> either = new TreeMap<>(known);
            either.putAll(found);
            for (String kernel : either.keySet()) {
                String before = known.containsKey(kernel) ? known.get(kernel).numbers() : "nothing";
                String now = found.containsKey(kernel) ? found.get(kernel).numbers() : "nothing";
                if (!before.equals(now)) {
                    failures.add(kernel + ": found " + now.replace('\t', ' ') + ", " + table.getFileName() + " has "
                            + before.replace('\t', ' ') + "; run with update if that is meant");
                }
            }
        } else {
            System.err.println(
                    "registers not compared: " + lines.getFirst().substring(2) + " made the table, this is " + version);
        }
        System.err.println(found.size() + " compiled kernels of " + MACHINES.size() + " targets, " + failures.size()
                + " failures");
        return failures;
    }

    // programs

    private static int call(List<String> command, Path log) throws IOException, InterruptedException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start()
                .waitFor();
    }

    private static String find(String program) {
        String home = System.getenv("CUDA_HOME");
        String path = System.getenv().getOrDefault("PATH", "") + (home == null ? "" : ":" + home + "/bin");
        return Arrays.stream(path.split(":"))
                .map(folder -> Path.of(folder, program))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse(null);
    }
}

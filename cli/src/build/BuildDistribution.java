import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/**
 * Makes a folder and an archive that run without an installed Java: a run-time image with the JDK modules that Weft uses, our
 * jars beside it, the launcher, the demo model and the documents.
 *
 * <p>Usage: java BuildDistribution.java PROJECT JARS TARGET NAME
 */
final class BuildDistribution {
    /** What the jars need, and no more: no java.desktop, which Jackson uses where it is. */
    private static final List<String> MODULES = List.of(
            "java.base",
            "java.logging",
            "java.management",
            "java.sql",
            "jdk.incubator.vector",
            "jdk.jfr",
            "jdk.management",
            "jdk.unsupported",
            "jdk.zipfs");

    private BuildDistribution() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Path project = Path.of(args[0]);
        Path target = Path.of(args[2]);
        Path home = target.resolve(args[3]);
        delete(home);
        image(home);
        copy(Path.of(args[1]), home.resolve("lib/weft"));
        copy(project.resolve("weft"), home.resolve("weft"));
        Path bin = home.resolve("bin");
        copy(project.resolve("bin/find-jdk.sh"), bin.resolve("find-jdk.sh"));
        for (String document : List.of("LICENSE", "README.md", "CHANGELOG.md", "docs", "examples/demo-model")) {
            copy(project.resolve(document), home.resolve(document));
        }
        archive(target, args[3]);
        System.out.println("distribution: " + home + ", " + megabytes(home) + " MB; " + home + ".tar.gz, "
                + Files.size(target.resolve(args[3] + ".tar.gz")) / 1_000_000 + " MB");
    }

    private static void image(Path home) {
        ToolProvider jlink = ToolProvider.findFirst("jlink")
                .orElseThrow(() -> new IllegalStateException("this Java has no jlink; a JDK has"));
        int code = jlink.run(
                new PrintWriter(System.out, true),
                new PrintWriter(System.err, true),
                "--add-modules",
                String.join(",", MODULES),
                "--output",
                home.toString(),
                "--strip-debug",
                "--no-header-files",
                "--no-man-pages");
        if (code != 0) {
            throw new IllegalStateException("jlink ended with " + code);
        }
    }

    /** Same content, same archive: names in order, no owner, one time. */
    private static void archive(Path target, String name) throws IOException, InterruptedException {
        ProcessBuilder tar = new ProcessBuilder(
                "tar",
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--mtime=2026-01-01 00:00Z",
                "-czf",
                name + ".tar.gz",
                name);
        int code = tar.directory(target.toFile()).inheritIO().start().waitFor();
        if (code != 0) {
            throw new IllegalStateException("tar ended with " + code);
        }
    }

    private static long megabytes(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            long bytes = 0;
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                bytes += Files.size(file);
            }
            return bytes / 1_000_000;
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path source : all.toList()) {
                Path copied = to.resolve(from.relativize(source).toString());
                if (Files.isDirectory(source)) {
                    Files.createDirectories(copied);
                } else {
                    Files.createDirectories(copied.getParent());
                    Files.copy(source, copied, StandardCopyOption.COPY_ATTRIBUTES, StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}

package dev.weft.readme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program in the README compiles as it stands and does what it says. */
class ReadmeTest {
    private static final Pattern PROGRAM = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

    @TempDir
    private Path folder;

    @Test
    void theProgramContinuesAText() throws IOException, InterruptedException {
        Path root = projectRoot();
        Matcher m = PROGRAM.matcher(Files.readString(root.resolve("README.md")));
        assertThat(m.find()).as("a java block in README.md").isTrue();
        Path source = Files.writeString(folder.resolve("Hello.java"), m.group(1));

        Process java = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=dev.weft,dev.weft.natives,dev.weft.backend.cpu",
                        "-p",
                        modulePath(),
                        "--add-modules",
                        "dev.weft.models,dev.weft.backend.cpu",
                        source.toString(),
                        root.resolve("examples/demo-model").toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(java.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(java.waitFor(2, TimeUnit.MINUTES)).isTrue();
        assertThat(java.exitValue()).as(output).isZero();
        assertThat(output).contains("running on cpu:0").contains(" her, and she was ");
    }

    private static Path projectRoot() {
        Path p = Path.of("").toAbsolutePath();
        while (!Files.isRegularFile(p.resolve("README.md"))) {
            p = p.getParent();
        }
        return p;
    }

    /** What this test runs with, on either path, less what is no part of the program. */
    private static String modulePath() {
        return Stream.of("jdk.module.path", "java.class.path")
                .map(System::getProperty)
                .filter(s -> s != null && !s.isEmpty())
                .flatMap(s -> Stream.of(s.split(File.pathSeparator)))
                .filter(ReadmeTest::isPartOfTheProgram)
                .distinct()
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static boolean isPartOfTheProgram(String entry) {
        return List.of("runtime-api", "backend-cpu", "models", "native", "weft-", "jackson", "slf4j").stream()
                        .anyMatch(entry::contains)
                && !entry.contains("test-classes")
                && !entry.contains("conformance")
                && !entry.contains("cli");
    }
}

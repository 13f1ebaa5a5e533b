package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.model.DeepSeekV4;
import dev.weft.runtime.Weft;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The documents are true: their programs run, their links lead somewhere, and the messages they explain exist. */
class DocumentedProgramsTest {
    private static final Path ROOT = Path.of("..");
    private static final Pattern PROGRAM = Pattern.compile("```java(?: run)?\n(import module .*?)```", Pattern.DOTALL);
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)(?:#[^)]*)?\\)");
    private static final Pattern MESSAGE = Pattern.compile("^### `(.+)`$", Pattern.MULTILINE);

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"README.md, her", "docs/getting-started.md, cpu:0"})
    void programsRun(String page, String expected) throws IOException, InterruptedException {
        Matcher programs = PROGRAM.matcher(Files.readString(ROOT.resolve(page)));
        int count = 0;
        while (programs.find()) {
            Path source = Files.writeString(folder.resolve("Program" + count++ + ".java"), programs.group(1));
            assertThat(run(source)).as(programs.group(1)).contains(expected);
        }
        assertThat(count).isPositive();
    }

    private static String run(Path source) throws IOException, InterruptedException {
        String nativeLibrary = System.getProperty("weft.native.library", "");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-p",
                path(),
                "--add-modules",
                option("--add-modules "),
                "--enable-native-access=" + option("--enable-native-access=")));
        if (!nativeLibrary.isEmpty()) {
            command.add("-Dweft.native.library=" + nativeLibrary);
        }
        command.add(source.toString());
        command.add(DemoModel.locate(null).toString());
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(printed).isZero();
        assertThat(printed).doesNotContain("A restricted method");
        return printed;
    }

    /** What the command of the page that starts programs gives for one of its options. */
    private static String option(String name) throws IOException {
        String page = Files.readString(ROOT.resolve("docs/getting-started.md"));
        Matcher option = Pattern.compile("java -p lib .*?" + name + "(\\S+)", Pattern.DOTALL)
                .matcher(page);
        assertThat(option.find()).as(name).isTrue();
        return option.group(1);
    }

    /** Modules of this build and what they need, wherever this test found them; by name, since it reads few of them. */
    private static String path() {
        return Stream.of(
                        Weft.class,
                        DeepSeekV4.class,
                        type("dev.weft.natives.NativeLibrary"),
                        type("dev.weft.backend.cpu.CpuProvider"),
                        type("dev.weft.backend.cuda.CudaProvider"),
                        type("dev.weft.backend.ascend.AscendProvider"),
                        type("org.slf4j.Logger"),
                        type("org.slf4j.simple.SimpleLogger"),
                        type("tools.jackson.databind.JsonNode"),
                        type("tools.jackson.core.JsonParser"),
                        type("com.fasterxml.jackson.annotation.JsonCreator"))
                .map(DocumentedProgramsTest::location)
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static Class<?> type(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String location(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void linksLeadToFiles() throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path page : pages()) {
            Matcher links = LINK.matcher(Files.readString(page));
            while (links.find()) {
                if (!Files.exists(page.resolveSibling(links.group(1)))) {
                    broken.add(page + ": " + links.group(1));
                }
            }
        }
        assertThat(broken).isEmpty();
    }

    private static List<Path> pages() throws IOException {
        List<Path> pages = new ArrayList<>();
        for (Path place : List.of(ROOT, ROOT.resolve("docs"))) {
            try (Stream<Path> files = Files.list(place)) {
                files.filter(f -> f.toString().endsWith(".md")).forEach(pages::add);
            }
        }
        assertThat(pages).hasSizeGreaterThan(10);
        return pages;
    }

    /** A message of the page stands in some source; where it has an ellipsis, its parts do. */
    @Test
    void messagesThatAreExplainedExist() throws IOException {
        StringBuilder sources = new StringBuilder();
        for (String module :
                List.of("native", "runtime-api", "models", "backend-cpu", "backend-cuda", "backend-ascend", "cli")) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src"))) {
                for (Path file : files.filter(f -> f.toString().matches(".*/src/(main|build)/.*\\.java"))
                        .toList()) {
                    sources.append(Files.readString(file));
                }
            }
        }
        for (String script : List.of("weft", "bin/find-jdk.sh", "pom.xml")) {
            sources.append(Files.readString(ROOT.resolve(script)));
        }
        String text = sources.toString().replaceAll("\"\\s*\\+ \"", "");
        Matcher messages = MESSAGE.matcher(Files.readString(ROOT.resolve("docs/troubleshooting.md")));
        List<String> unknown = new ArrayList<>();
        int count = 0;
        while (messages.find()) {
            count++;
            for (String part : messages.group(1).split("\\.\\.\\.")) {
                if (!text.contains(part.strip())) {
                    unknown.add(part);
                }
            }
        }
        assertThat(unknown).isEmpty();
        assertThat(count).isGreaterThan(15);
    }
}

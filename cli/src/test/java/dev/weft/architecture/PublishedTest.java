package dev.weft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What is published has a version in the BOM. */
class PublishedTest {
    private static final Path ROOT = Path.of("..");

    @Test
    void everyPublishedModuleIsInTheBom() {
        String bom = read(ROOT.resolve("bom/pom.xml"));
        List<String> published = modules().stream()
                .filter(module -> !module.equals("bom"))
                .map(module -> read(ROOT.resolve(module).resolve("pom.xml")))
                .filter(pom -> !pom.contains("<maven.deploy.skip>true</maven.deploy.skip>"))
                .map(pom -> first("</parent>\\s*<artifactId>([^<]+)</artifactId>", pom))
                .toList();
        assertThat(published).hasSizeGreaterThan(6);
        assertThat(all("<dependency>\\s*<groupId>dev.weft</groupId>\\s*<artifactId>([^<]+)</artifactId>", bom))
                .containsExactlyInAnyOrderElementsOf(published);
    }

    @Test
    void theBomHasTheVersionOfTheOthers() {
        String version =
                first("<artifactId>weft-parent</artifactId>\\s*<version>([^<]+)<", read(ROOT.resolve("pom.xml")));
        assertThat(first("<artifactId>weft-bom</artifactId>\\s*<version>([^<]+)<", read(ROOT.resolve("bom/pom.xml"))))
                .isEqualTo(version);
        assertThat(first("<weft.version>([^<]+)<", read(ROOT.resolve("examples/consumer/pom.xml"))))
                .isEqualTo(version);
    }

    @Test
    void everyPomSaysWhatAPublicRepositoryAsks() {
        for (String own : List.of("pom.xml", "bom/pom.xml")) {
            assertThat(read(ROOT.resolve(own))).as(own).contains("<url>", "<licenses>", "<developers>", "<scm");
        }
        for (String module : modules()) {
            assertThat(read(ROOT.resolve(module).resolve("pom.xml"))).as(module).contains("<name>", "<description>");
        }
    }

    @Test
    void packagesThatNoModuleExportsAreLeftOutOfTheComparisonOfTheApi() {
        List<String> hidden = modules().stream()
                .map(ROOT::resolve)
                .filter(module -> !read(module.resolve("pom.xml")).contains("<weft.internal>true</weft.internal>"))
                .map(module -> module.resolve("src/main/java"))
                .filter(Files::isDirectory)
                .flatMap(sources -> hidden(sources).stream())
                .toList();
        assertThat(all("<exclude>([^<]+)</exclude>", read(ROOT.resolve("pom.xml"))))
                .containsExactlyInAnyOrderElementsOf(hidden);
    }

    private static List<String> hidden(Path sources) {
        List<String> exported = all("exports ([a-z.]+);", read(sources.resolve("module-info.java")));
        try (Stream<Path> files = Files.walk(sources)) {
            return files.filter(file -> file.toString().endsWith(".java"))
                    .map(file -> sources.relativize(file).getParent())
                    .filter(Objects::nonNull)
                    .map(folder -> folder.toString().replace('/', '.'))
                    .distinct()
                    .filter(name -> !exported.contains(name))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> modules() {
        return all("<module>([^<]+)</module>", read(ROOT.resolve("pom.xml")));
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String first(String regex, String text) {
        return all(regex, text).getFirst();
    }

    private static List<String> all(String regex, String text) {
        return Pattern.compile(regex)
                .matcher(text)
                .results()
                .map(r -> r.group(1))
                .toList();
    }
}

package dev.weft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What is published has a version in the BOM. */
class PublishedTest {
    private static final Path ROOT = Path.of("..");

    @Test
    void everyPublishedModuleIsInTheBom() {
        String bom = read(ROOT.resolve("bom/pom.xml"));
        List<String> published = all("<module>([^<]+)</module>", read(ROOT.resolve("pom.xml"))).stream()
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

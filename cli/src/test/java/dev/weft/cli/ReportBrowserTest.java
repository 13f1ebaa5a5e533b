package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * The report of a comparison in a real browser, on a desk and on a telephone, in light and in dark. Pictures of all four
 * are left in {@code target/report}.
 */
class ReportBrowserTest {
    private static final Path PICTURES = Path.of("target", "report");

    /** Texts of drawings that reach out of them, and would be cut. */
    private static final String CUT = """
            [...document.querySelectorAll('svg text')].filter(t => {
              const a = t.getBoundingClientRect(), b = t.ownerSVGElement.getBoundingClientRect();
              return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 2 || a.bottom > b.bottom + 2;
            }).map(t => t.textContent)""";

    /** Texts whose contrast with the paper is below the 4.5 that readers need. */
    private static final String FAINT = """
            (() => {
              const light = c => {
                const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255)
                    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const paper = light(getComputedStyle(document.body).backgroundColor);
              return [...document.querySelectorAll('h1, h2, h3, p, th, td, dt, dd, figcaption, svg text')].filter(e => {
                const style = getComputedStyle(e);
                const ink = light(e instanceof SVGElement ? style.fill : style.color);
                return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) < 4.5;
              }).map(e => e.textContent);
            })()""";

    @TempDir(cleanup = CleanupMode.NEVER) // the browser's last processes may still write to its profile
    private static Path folder;

    private static Chromium browser;

    @BeforeAll
    static void start() throws IOException {
        browser = Chromium.start(folder.resolve("profile"));
        Files.createDirectories(PICTURES);
    }

    @AfterAll
    static void close() throws IOException {
        if (browser != null) {
            browser.close();
        }
    }

    @TestFactory
    Stream<DynamicTest> isLegibleEverywhere() throws IOException {
        Path page = Files.writeString(folder.resolve("report.html"), new CompareHtml(ComparedMicro.sheet()).page());
        return Stream.of("light", "dark")
                .flatMap(scheme -> Stream.of(
                        dynamicTest("desk, " + scheme, () -> check(page, 1440, 900, scheme)),
                        dynamicTest("telephone, " + scheme, () -> check(page, 390, 844, scheme))));
    }

    private static void check(Path page, int width, int height, String scheme) throws IOException {
        browser.open(page, width, height, scheme);
        Files.write(
                PICTURES.resolve(scheme + "-" + width + ".png"),
                Base64.getDecoder().decode(browser.picture()));
        assertThat(browser.evaluate("window.innerWidth").asInt()).isEqualTo(width);
        assertThat(browser.evaluate("document.documentElement.scrollWidth").asInt())
                .as("width of the content")
                .isLessThanOrEqualTo(width);
        assertThat(texts(CUT)).as("texts that are cut").isEmpty();
        assertThat(texts(FAINT)).as("texts of too little contrast").isEmpty();
        assertThat(browser.evaluate("document.querySelectorAll('circle.mark').length")
                        .asInt())
                .as("marks under the roof")
                .isPositive();
        assertThat(browser.evaluate(
                                "[...document.querySelectorAll('path.roof')].filter(p => p.getTotalLength() > 20).length")
                        .asInt())
                .as("roofs")
                .isPositive();
        String paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
                .asString();
        assertThat(paper).isEqualTo(scheme.equals("light") ? "rgb(255, 255, 255)" : "rgb(17, 24, 39)");
        assertThat(browser.complaints()).isEmpty();
        assertThat(browser.requests()).containsExactly(page.toUri().toString());
    }

    private static List<String> texts(String expression) {
        return browser.evaluate(expression)
                .valueStream()
                .map(JsonNode::asString)
                .toList();
    }
}

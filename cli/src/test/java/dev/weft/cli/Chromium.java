package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A headless browser with one tab, spoken to in the DevTools protocol over a pipe: JSON messages that end with a zero byte.
 * Used by one thread.
 */
final class Chromium implements AutoCloseable {
    /** With {@code require} a missing browser is a failure, else the test is skipped. */
    private static final String PROPERTY = "weft.test.browser";

    private static final List<String> NAMES = List.of("chromium", "chromium-browser", "google-chrome");
    private static final long PATIENCE_SECONDS = 60;

    private final JsonMapper json = new JsonMapper();
    private final Process process;
    private final OutputStream commands;
    private final BlockingQueue<JsonNode> messages = new LinkedBlockingQueue<>();
    private final List<JsonNode> events = new ArrayList<>();
    private String session = "";
    private int calls;

    private Chromium(Process process) {
        this.process = process;
        this.commands = process.getOutputStream();
        Thread.ofPlatform().daemon().name("chromium").start(() -> receive(process.getInputStream()));
    }

    /** Starts the browser with an empty tab. @param folder for its profile */
    static Chromium start(Path folder) throws IOException {
        Optional<Path> program = program();
        if (!"require".equals(System.getProperty(PROPERTY))) {
            Assumptions.assumeTrue(
                    program.isPresent(), () -> "none of " + NAMES + " is on the PATH; install the package chromium");
        }
        assertThat(program).as("a browser, one of " + NAMES + " on the PATH").isPresent();
        // the pipe's ends are the browser's descriptors 3 and 4
        String command = "exec \"$0\" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run"
                + " --user-data-dir=\"$1\" --remote-debugging-pipe about:blank 3<&0 4>&1 >/dev/null 2>&1";
        Process process = new ProcessBuilder(
                        "sh", "-c", command, program.orElseThrow().toString(), folder.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        Chromium browser = new Chromium(process);
        String tab = browser.call("Target.createTarget", p -> p.put("url", "about:blank"))
                .path("targetId")
                .asString();
        browser.session = browser.call(
                        "Target.attachToTarget", p -> p.put("targetId", tab).put("flatten", true))
                .path("sessionId")
                .asString();
        for (String domain : List.of("Page", "Runtime", "Log", "Network")) {
            browser.call(domain + ".enable", p -> {});
        }
        return browser;
    }

    private static Optional<Path> program() {
        return Stream.of(System.getenv("PATH").split(":"))
                .flatMap(folder -> NAMES.stream().map(name -> Path.of(folder, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /** Opens a page in a window of a size, for a reader who prefers {@code light} or {@code dark}. */
    void open(Path page, int width, int height, String scheme) {
        events.clear();
        call(
                "Emulation.setDeviceMetricsOverride",
                p -> p.put("width", width)
                        .put("height", height)
                        .put("deviceScaleFactor", 1)
                        .put("mobile", false));
        call(
                "Emulation.setEmulatedMedia",
                p -> p.putArray("features")
                        .addObject()
                        .put("name", "prefers-color-scheme")
                        .put("value", scheme));
        call("Page.navigate", p -> p.put("url", page.toUri().toString()));
        while (events("Page.loadEventFired").isEmpty()) {
            events.add(next());
        }
    }

    /** Value of an expression in the page. */
    JsonNode evaluate(String expression) {
        JsonNode answer =
                call("Runtime.evaluate", p -> p.put("expression", expression).put("returnByValue", true));
        assertThat(answer.has("exceptionDetails")).as(answer.toString()).isFalse();
        return answer.path("result").path("value");
    }

    /** What the page complained about since it was opened: exceptions, console messages and what the browser logs. */
    List<JsonNode> complaints() {
        return Stream.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
                .flatMap(kind -> events(kind).stream())
                .toList();
    }

    /** Addresses that the page loaded since it was opened, its own first. */
    List<String> requests() {
        return events("Network.requestWillBeSent").stream()
                .map(e -> e.path("params").path("request").path("url").asString())
                .toList();
    }

    /** The whole page as PNG, in Base64. */
    String picture() {
        JsonNode size = call("Page.getLayoutMetrics", p -> {}).path("cssContentSize");
        return call("Page.captureScreenshot", p -> {
                    p.put("captureBeyondViewport", true);
                    p.putObject("clip")
                            .put("x", 0)
                            .put("y", 0)
                            .put("width", size.path("width").asDouble())
                            .put("height", size.path("height").asDouble())
                            .put("scale", 1);
                })
                .path("data")
                .asString();
    }

    private List<JsonNode> events(String method) {
        return events.stream()
                .filter(e -> e.path("method").asString().equals(method))
                .toList();
    }

    private JsonNode call(String method, Consumer<ObjectNode> parameters) {
        int id = ++calls;
        ObjectNode message = json.createObjectNode().put("id", id).put("method", method);
        if (!session.isEmpty()) {
            message.put("sessionId", session);
        }
        parameters.accept(message.putObject("params"));
        try {
            commands.write((json.writeValueAsString(message) + "\0").getBytes(StandardCharsets.UTF_8));
            commands.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("the browser ended before " + method, e);
        }
        while (true) {
            JsonNode answer = next();
            if (answer.path("id").asInt(-1) == id) {
                assertThat(answer.has("error")).as(method + ": " + answer).isFalse();
                return answer.path("result");
            }
            events.add(answer);
        }
    }

    private JsonNode next() {
        try {
            JsonNode message = messages.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            assertThat(message)
                    .as("a message of the browser within " + PATIENCE_SECONDS + " s")
                    .isNotNull();
            return message;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    private void receive(InputStream from) {
        try (from) {
            ByteArrayOutputStream message = new ByteArrayOutputStream();
            byte[] part = new byte[1 << 16];
            for (int n = from.read(part); n >= 0; n = from.read(part)) {
                for (int i = 0; i < n; i++) {
                    if (part[i] == 0) {
                        messages.add(json.readTree(message.toByteArray()));
                        message.reset();
                    } else {
                        message.write(part[i]);
                    }
                }
            }
        } catch (IOException e) {
            // the browser was closed; whoever waits for a message is told so
        }
    }

    /** Ends the browser and its processes, so that its profile can be deleted. */
    @Override
    public void close() throws IOException {
        session = "";
        call("Browser.close", p -> {});
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        commands.close();
    }
}

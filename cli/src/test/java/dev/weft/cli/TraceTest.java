package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.model.GoldenModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.Event;
import jdk.jfr.Name;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Flight recorder events and their conversion for trace viewers. */
class TraceTest {
    private static final GoldenModel MICRO = GoldenModel.micro();

    @TempDir
    private Path folder;

    @Test
    void everyNodeOfAPrefillAndOfTheDecodeStepsIsInsideItsRun() throws IOException {
        Path file = folder.resolve("trace.json");
        Run run = Run.of("trace", MICRO.directory(), "--out", file, "--prompt", 8, "--steps", 2);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("kernel").contains("gemm");

        JsonNode root = new JsonMapper().readTree(file);
        List<JsonNode> runs = spans(root, "Run");
        assertThat(names(root, "Step")).containsExactly("prefill 8", "decode 1", "decode 1");
        assertThat(runs).hasSize(3);
        List<JsonNode> kernels = spans(root, "Kernel");
        assertThat(kernels.size() % 3).isZero();
        assertThat(kernels).allSatisfy(k -> assertThat(runs).anyMatch(r -> isInside(k, r)));
        assertThat(kernels.stream().map(k -> k.get("tid").intValue()).distinct())
                .as("one stream, which is no thread")
                .hasSize(1)
                .doesNotContain(runs.getFirst().get("tid").intValue());
        List<String> nodes = names(root, "Kernel");
        assertThat(nodes.subList(0, nodes.size() / 3))
                .isEqualTo(nodes.subList(nodes.size() / 3, 2 * nodes.size() / 3))
                .contains("layers.0.ffn.moeCombine");
    }

    private static boolean isInside(JsonNode inner, JsonNode outer) {
        double start = inner.get("ts").doubleValue() - outer.get("ts").doubleValue();
        return start >= 0
                && start + inner.get("dur").doubleValue() <= outer.get("dur").doubleValue() + 1;
    }

    @Test
    void aRecordingOfAnyProgramIsConverted() throws IOException {
        Path recorded = folder.resolve("program.jfr");
        try (Recording recording = new Recording()) {
            for (String type : List.of("Compile", "Load", "Step", "Run")) {
                recording.enable("dev.weft." + type).withoutThreshold();
            }
            recording.start();
            Path ids = Files.writeString(folder.resolve("ids.json"), "[0, 5, 9]");
            Path out = folder.resolve("out.safetensors");
            Run.of("logits", MICRO.directory(), "--tokens", ids, "--split", 2, "--out", out);
            recording.stop();
            recording.dump(recorded);
        }
        Path file = folder.resolve("trace.json");
        Run run = Run.of("trace", recorded, "--out", file);
        assertThat(run.err()).contains("dev.weft.Kernel").contains("off unless enabled");
        assertThat(run.code()).isZero();

        JsonNode root = new JsonMapper().readTree(file);
        assertThat(spans(root, "Compile")).singleElement().satisfies(e -> {
            assertThat(e.at("/args/nodes").intValue()).isPositive();
            assertThat(e.at("/args/onHost").intValue()).isZero();
        });
        assertThat(spans(root, "Load")).singleElement().satisfies(e -> {
            assertThat(e.at("/args/bytes").longValue()).isPositive();
            assertThat(e.at("/args/graphs").stringValue()).isEqualTo("deepseek-v4");
        });
        assertThat(names(root, "Step")).containsExactly("prefill 2", "decode 1");
        assertThat(spans(root, "Run").getLast().at("/args/extents").stringValue())
                .contains("tokens=1");
    }

    /** An event of another library, with a field of the same name. */
    @Name("test.Foreign")
    private static final class Foreign extends Event {
        @SuppressWarnings("unused") // read by the recorder
        private String device = "tv EMULATOR";
    }

    @Test
    void eventsOfOthersAreNobodysEmulator() throws IOException {
        Path recorded = folder.resolve("program.jfr");
        try (Recording recording = new Recording()) {
            recording.start();
            new Foreign().commit();
            recording.stop();
            recording.dump(recorded);
        }
        Run run = Run.of("trace", recorded, "--out", folder.resolve("trace.json"));
        assertThat(run.err()).contains("holds no event dev.weft.*").doesNotContain("emulator");
    }

    @Test
    void timesOfAnEmulatorAreNotShown() throws IOException {
        Path recorded = folder.resolve("program.jfr");
        try (EmulatedCann cann = new EmulatedCann();
                Recording recording = new Recording()) {
            recording.enable("dev.weft.Step").withoutThreshold();
            recording.enable("dev.weft.Run").withoutThreshold();
            recording.start();
            Path ids = Files.writeString(folder.resolve("ids.json"), "[0, 5, 9]");
            Path out = folder.resolve("out.safetensors");
            Run logits = Run.of(
                    "logits", MICRO.directory(), "--device", "ascend:0", "--tokens", ids, "--split", 2, "--out", out);
            assertThat(logits.code()).as(logits.err()).isZero();
            recording.stop();
            recording.dump(recorded);
        }
        assertThat(RecordingFile.readAllEvents(recorded))
                .anySatisfy(e -> assertThat(e.getString("device")).isEqualTo("ascend:0 EMULATOR"));
        Run run = Run.of("trace", recorded, "--out", folder.resolve("trace.json"));
        assertThat(run.code()).isNotZero();
        assertThat(run.err()).contains("holds only events of emulators");
        assertThat(run.out()).isEmpty();
    }

    @Test
    void whatIsNoRecordingIsRefused() throws IOException {
        Path text = Files.writeString(folder.resolve("notes.txt"), "nothing of the kind");
        Run run = Run.of("trace", text, "--out", folder.resolve("trace.json"));
        assertThat(run.code()).isNotZero();
        assertThat(run.err()).contains("notes.txt").contains("flight recording");
    }

    private static List<String> names(JsonNode root, String category) {
        return spans(root, category).stream()
                .map(e -> e.get("name").stringValue())
                .toList();
    }

    private static List<JsonNode> spans(JsonNode root, String category) {
        List<JsonNode> found = new ArrayList<>();
        for (JsonNode e : root.get("traceEvents")) {
            if (e.path("cat").asString("").equals(category)) {
                found.add(e);
            }
        }
        return found;
    }
}

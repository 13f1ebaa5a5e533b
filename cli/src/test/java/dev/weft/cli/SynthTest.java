package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class SynthTest {
    @TempDir
    private Path folder;

    @Test
    void whatIsWrittenIsACheckpointThatRuns() throws IOException {
        Path model = folder.resolve("model");
        Run run = Run.of("synth", model, "--layers", 5, "--experts", 4, "--set", "sliding_window=32", "--seed", 3);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode inspected = Run.of("inspect", model, "--json").json();
        assertThat(inspected.path("problems").values()).isEmpty();
        assertThat(inspected.path("config").path("num_hidden_layers").asInt()).isEqualTo(5);
        assertThat(inspected.path("config").path("n_routed_experts").asInt()).isEqualTo(4);
        assertThat(inspected.path("config").path("sliding_window").asInt()).isEqualTo(32);
        assertThat(inspected.path("layers").path(4).path("kind").asString()).isEqualTo("hca");

        Path ids = Files.writeString(folder.resolve("ids.json"), "[0, 1, 2]");
        Path out = folder.resolve("out.safetensors");
        Run logits = Run.of("logits", model, "--tokens", ids, "--split", 2, "--out", out);
        assertThat(logits.err()).isEmpty();
        assertThat(out).exists();
    }

    @Test
    void equalSeedsGiveEqualBytes() throws IOException {
        assertThat(shard("a", 1)).isEqualTo(shard("b", 1)).isNotEqualTo(shard("c", 2));
    }

    private byte[] shard(String name, int seed) throws IOException {
        Path model = folder.resolve(name);
        assertThat(Run.of("synth", model, "--layers", 1, "--seed", seed).code()).isZero();
        return Files.readAllBytes(model.resolve("model-00001-of-00001.safetensors"));
    }

    @ParameterizedTest
    @CsvSource({
        "--layers=-1, num_hidden_layers: found -1",
        "--experts=-1, n_routed_experts: found -1",
        "--config=huge, --config: found 'huge'",
        "--set=hidden_size=100, hidden_size: found 100",
        "--set=hidden_size=wide, 'hidden_size: found \"wide\"'",
        "--set=hiden_size=128, --set: found key 'hiden_size'",
        "--set=hidden_size, --set",
    })
    void wrongConfigurationsAreUsageErrors(String option, String message) {
        Run run = Run.of("synth", folder.resolve("model"), option);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(message);
        assertThat(folder.resolve("model")).doesNotExist();
    }

    @Test
    void filesAreNeverOverwritten() throws IOException {
        Path note = Files.writeString(folder.resolve("note.txt"), "keep");
        Run run = Run.of("synth", folder);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("is not empty");
        assertThat(Run.of("synth", note).code()).isEqualTo(2);
        assertThat(note).hasContent("keep");
    }
}

package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** What a device makes of a graph, from a configuration alone. */
class CompileTest {
    @Test
    void kernelsAndMemoryFollowTheConfiguration() {
        JsonNode one = json("--max-tokens", 1);
        JsonNode many = json("--max-tokens", 64);
        assertThat(one.path("hostNodes").asInt()).isZero();
        assertThat(one.path("nodes").size())
                .isEqualTo(many.path("nodes").size())
                .isGreaterThan(100);
        assertThat(one.path("weightBytes").asLong())
                .isEqualTo(many.path("weightBytes").asLong())
                .isPositive();
        assertThat(one.path("valueBytes").asLong())
                .isBetween(1L, many.path("valueBytes").asLong() - 1);
        assertThat(one.has("launches")).as("a host counts no launches").isFalse();
    }

    private static JsonNode json(Object option, Object value) {
        Run run = Run.of("compile", "--model", "tiny", "--device", "cpu:0/scalar", option, value, "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        return run.json();
    }

    @Test
    void textForAFolderNamesTheKernels() {
        Path model = Path.of("../examples/demo-model");
        Run run = Run.of("compile", "--model", model, "--device", "cpu:0/scalar", "--nodes");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("0 on host", "layers.0.attn", "launches are not counted on this device");
    }

    @Test
    void aStepBeyondThePlanIsRefused() {
        Run run = Run.of("compile", "--model", "tiny", "--tokens", 300);
        assertThat(run.code()).isEqualTo(ExitCode.USAGE);
        assertThat(run.err()).contains("--tokens: found 300, expected 1 to --max-tokens 256");
    }
}

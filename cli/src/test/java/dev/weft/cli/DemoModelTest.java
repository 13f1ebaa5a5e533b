package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Commands on the model that comes with Weft. */
class DemoModelTest {
    private static final Path MODEL = DemoModel.locate(null);

    @TempDir
    private Path folder;

    @Test
    void inspectFindsEveryTensor() {
        Run run = Run.of("inspect", MODEL, "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode root = run.json();
        assertThat(root.path("layers").values())
                .extracting(n -> n.path("kind").asString())
                .containsExactly("window", "csa", "hca", "csa", "window");
        assertThat(root.path("tensors").asInt()).isEqualTo(427);
        assertThat(root.path("bytes").asLong()).isEqualTo(7_934_134);
        assertThat(root.path("parameters").asLong()).isBetween(7_600_000L, 7_700_000L);
        assertThat(root.path("problems").values()).isEmpty();
        assertThat(Run.of("inspect", MODEL, "--tensors").out()).contains("layers.0.attn.wq_a.weight");
    }

    @Test
    void inspectFailsOnAMissingTensor() throws IOException {
        Path copy = Files.createDirectory(folder.resolve("copy"));
        Files.copy(MODEL.resolve("model-00001-of-00002.safetensors"), copy.resolve("model-00001-of-00002.safetensors"));
        Files.copy(MODEL.resolve("model-00002-of-00002.safetensors"), copy.resolve("model-00002-of-00002.safetensors"));
        Files.copy(MODEL.resolve("model.safetensors.index.json"), copy.resolve("model.safetensors.index.json"));
        String config = Files.readString(MODEL.resolve("config.json"));
        Files.writeString(
                copy.resolve("config.json"), config.replace("\"n_routed_experts\": 8", "\"n_routed_experts\": 9"));
        Run run = Run.of("inspect", copy);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out() + run.err()).contains("experts.8");
    }

    @Test
    void equalSeedsGiveEqualTexts() {
        JsonNode first = chat(7).json();
        assertThat(first.path("text").asString()).isNotBlank().doesNotContain("\uFFFD");
        assertThat(first.path("tokens").size()).isEqualTo(12);
        assertThat(first.path("prefillTokensPerSecond").asDouble()).isPositive();
        assertThat(first.path("decodeTokensPerSecond").asDouble()).isPositive();
        assertThat(first.path("numerics").asString()).isEqualTo("fp32");
        assertThat(chat(7).json().path("text")).isEqualTo(first.path("text"));
        assertThat(chat(8).json().path("text")).isNotEqualTo(first.path("text"));
    }

    private static Run chat(int seed) {
        Run run = Run.of(
                "generate",
                MODEL,
                "--prompt",
                "What is a hacker?",
                "--chat",
                "--temperature",
                0.9,
                "--max-tokens",
                12,
                "--numerics",
                "fp32",
                "--seed",
                seed,
                "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        return run;
    }

    @Test
    void theStreamedTextIsAllOfStandardOutput() {
        Run json = Run.of("generate", MODEL, "--prompt", "It was", "--max-tokens", 8, "--numerics", "fp32", "--json");
        Run plain = Run.of("generate", MODEL, "--prompt", "It was", "--max-tokens", 8, "--numerics", "fp32");
        assertThat(plain.out()).isEqualTo(json.json().path("text").asString() + "\n");
        assertThat(plain.err()).contains("prefill").contains("decode 7 tokens");
    }

    @Test
    void specialTokensInAPromptAreText() {
        String forged = "<｜Assistant｜>";
        int plain = Run.of("generate", MODEL, "--prompt", forged, "--max-tokens", 1, "--json")
                .json()
                .path("promptTokens")
                .asInt();
        assertThat(plain).isGreaterThan(2); // begin of sentence and one id, if it were taken for the token
    }

    @Test
    void allDevicesAgree() {
        Run run = Run.of("demo", "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode root = run.json();
        assertThat(root.path("passed").asBoolean()).isTrue();
        assertThat(root.path("answer").path("text").asString()).isNotBlank();
        assertThat(root.path("results").values()).hasSizeGreaterThanOrEqualTo(2);
        assertThat(root.path("results").values()).allSatisfy(r -> {
            assertThat(r.path("status").asString()).isIn("pass", "ref");
            assertThat(r.path("maxLogitDifference").asDouble()).isLessThan(1e-3);
            assertThat(r.path("decodeTokensPerSecond").asDouble()).isPositive();
        });
    }
}

package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.generate.Engine;
import dev.weft.generate.EngineOptions;
import dev.weft.generate.FinishReason;
import dev.weft.generate.GeneratedToken;
import dev.weft.generate.Generation;
import dev.weft.generate.GenerationRequest;
import dev.weft.grammar.CompiledGrammar;
import dev.weft.grammar.Grammar;
import dev.weft.grammar.TokenVocabulary;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Generator;
import dev.weft.model.LoadOptions;
import dev.weft.model.Sampling;
import dev.weft.model.Session;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Random weights answer in the form that is asked for, alone, together and with speculation. */
class ConstrainedGenerationTest {
    private static final String SCHEMA = """
            {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}, "tags": {"type": "array",
             "items": {"enum": ["red", "green"]}, "minItems": 1, "maxItems": 4}}, "required": ["name", "tags"]}""";
    private static final String[] PIECES = {
        "{\"", "\":", "\": \"", "\",", "\"}", "\"]", "name", "re", "een", "\", \"", "tags", "\u00e9", "  "
    };
    private static final int END = 300;
    private static final int SIZE = 320;

    @TempDir
    private static Path folder;

    private static Weft weft;
    private static Checkpoint checkpoint;
    private static DeepSeekV4 model;
    private static byte[][] tokens;
    private static CompiledGrammar grammar;

    @BeforeAll
    static void load() {
        ModelConfig config = ModelConfig.read(GoldenModel.micro().directory().resolve("config.json"))
                .with(Map.of(
                        "vocab_size", SIZE, "num_nextn_predict_layers", 1, "compress_ratios", List.of(0, 4, 128, 0)));
        SyntheticCheckpoint.of(config, 5).write(folder);
        weft = Weft.open(BackendConfig.DEFAULT.withThreads(2));
        checkpoint = Checkpoint.open(folder);
        LoadOptions options = LoadOptions.defaults()
                .maxContext(128)
                .maxTokens(32)
                .maxSequences(8)
                .withMtp();
        model = DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options);
        tokens = new byte[SIZE][0];
        for (int i = 0; i < 256; i++) {
            tokens[i] = new byte[] {(byte) i};
        }
        for (int i = 0; i < PIECES.length; i++) {
            tokens[256 + i] = PIECES[i].getBytes(StandardCharsets.UTF_8);
        }
        grammar = Grammar.jsonSchema(SCHEMA).compile(TokenVocabulary.of(tokens, END));
    }

    @AfterAll
    static void close() {
        model.close();
        checkpoint.close();
        weft.close();
    }

    private static int[] alone(GenerationRequest request) {
        try (Session session = model.newSession()) {
            return new Generator(session)
                    .generate(request.prompt(), request.sampling(), grammar.newConstraint(), id -> {}, () -> false);
        }
    }

    private static void assertValid(int[] ids) {
        assertThat(ids[ids.length - 1]).isEqualTo(END);
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int id : ids) {
            text.writeBytes(tokens[id]);
        }
        JsonNode value = new JsonMapper().readTree(text.toByteArray());
        assertThat(value.propertyNames()).containsExactly("name", "tags");
        assertThat(value.get("name").stringValue()).hasSizeLessThanOrEqualTo(18);
        assertThat(value.get("tags").values())
                .hasSizeBetween(1, 4)
                .allSatisfy(tag -> assertThat(tag.stringValue()).isIn("red", "green"));
    }

    @Test
    void everyAnswerIsOfTheForm() {
        List<GenerationRequest> requests = new ArrayList<>();
        List<int[]> expected = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            GenerationRequest request = GenerationRequest.of(
                            new int[] {i, 2 * i + 1}, Sampling.random(i % 2, 0.9f, 40 + i, i))
                    .constrained(grammar.newConstraint());
            requests.add(request);
            expected.add(alone(request));
            assertValid(expected.get(i));
        }
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            List<Generation> plain = requests.stream().map(engine::submit).toList();
            List<Generation> speculative =
                    requests.stream().map(r -> engine.submit(r.speculating())).toList();
            for (int i = 0; i < requests.size(); i++) {
                assertThat(ids(plain.get(i))).isEqualTo(expected.get(i));
                assertThat(plain.get(i).reason()).isEqualTo(FinishReason.STOP);
                int[] speculated = ids(speculative.get(i));
                assertValid(speculated);
                if (i % 2 == 0) { // greedy
                    assertThat(speculated).isEqualTo(expected.get(i));
                }
            }
        }
    }

    private static int[] ids(Generation generation) {
        return generation.await().stream().mapToInt(GeneratedToken::id).toArray();
    }

    @Test
    void tooFewTokensAreRefusedAtOnce() {
        int shortest = grammar.newConstraint().shortest();
        GenerationRequest request = GenerationRequest.of(new int[] {1}, Sampling.greedy(shortest - 1))
                .constrained(grammar.newConstraint());
        try (Engine engine = new Engine(model, EngineOptions.DEFAULT)) {
            assertThatThrownBy(() -> engine.submit(request))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("maxTokens " + (shortest - 1), "expected at least " + shortest);
        }
        assertThatThrownBy(() -> alone(request))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("maxTokens " + (shortest - 1) + ", expected at least " + shortest);
        assertValid(alone(GenerationRequest.of(new int[] {1}, Sampling.greedy(shortest))));
    }
}

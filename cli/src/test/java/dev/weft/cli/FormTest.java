package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code weft generate} with a form for the text. */
class FormTest {
    private static final Path MODEL = DemoModel.locate(null);
    private static final String SCHEMA = """
            {"type": "object", "properties": {"term": {"type": "string", "maxLength": 20},
             "year": {"type": "integer", "minimum": 1950, "maximum": 2030}}, "required": ["term", "year"]}""";

    @TempDir
    private Path folder;

    private static Run generate(Object... more) {
        return withInput("", more);
    }

    private static Run withInput(String input, Object... more) {
        List<Object> arguments =
                new ArrayList<>(List.of("generate", MODEL, "--prompt", "What is a hacker?", "--numerics", "fp32"));
        arguments.addAll(List.of(more));
        return Run.withInput(input, arguments.toArray());
    }

    private static JsonNode parsed(String text) {
        return new JsonMapper().readTree(text);
    }

    @ParameterizedTest
    @ValueSource(ints = {24, 60})
    void theTextSatisfiesTheSchema(int maxTokens) {
        for (int seed = 0; seed < 4; seed++) {
            Run run = withInput(
                    SCHEMA, "--json-schema", "-", "--temperature", 1.5, "--seed", seed, "--max-tokens", maxTokens);
            assertThat(run.code()).as(run.err()).isZero();
            JsonNode value = parsed(run.out());
            assertThat(value.propertyNames()).containsExactly("term", "year");
            assertThat(value.get("year").intValue()).isBetween(1950, 2030);
            assertThat(value.get("term").stringValue().codePoints().count()).isLessThanOrEqualTo(20);
        }
    }

    @Test
    void thoughtsAreFreeAndTheAnswerIsNot() {
        Run run = generate(
                "--chat",
                "--mode",
                "think-high",
                "--json-object",
                "--temperature",
                1,
                "--max-tokens",
                40,
                "--json",
                "--stats");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("does not state the schema").contains("response_format_prefix");
        JsonNode root = run.json();
        String text = root.path("text").stringValue();
        assertThat(text).contains("</think>");
        assertThat(parsed(text.substring(text.indexOf("</think>") + 8)).isObject())
                .isTrue();
        assertThat(root.path("ended").stringValue()).isEqualTo("eos");
        JsonNode stats = root.path("stats");
        assertThat(stats.path("tokens").intValue())
                .isEqualTo(root.path("tokens").size());
        assertThat(stats.path("firstTokenSeconds").doubleValue()).isPositive();
        assertThat(stats.path("constraintSeconds").doubleValue())
                .isPositive()
                .isGreaterThan(stats.path("constraintMedianSeconds").doubleValue());
    }

    @Test
    void oneOfTheChoicesIsChosen() {
        Run run = generate("--choice", "a cracker", "--choice", "a wizard", "--stats");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).isIn("a cracker\n", "a wizard\n");
        assertThat(run.err()).contains("0 of them reused").contains("form of the text: median ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"not\": {}} | schema #: found the keyword 'not'",
                "{ | schema: found broken JSON",
                "{\"$ref\": \"#\"} | no text satisfies it"
            })
    void aSchemaThatCannotBeMetIsAWrongCommandLine(String schema, String message) throws IOException {
        Path file = Files.writeString(folder.resolve("schema.json"), schema);
        Run run = generate("--json-schema", file);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("weft: ").contains(message.strip());
    }

    @Test
    void whatDoesNotFitIsRefused() {
        Run both = generate("--json-object", "--choice", "a");
        assertThat(both.code()).isEqualTo(2);
        Run missing = generate("--json-schema", folder.resolve("none.json"));
        assertThat(missing.code()).isEqualTo(1);
        assertThat(missing.err()).contains("none.json: no such file");
        Run few = withInput(SCHEMA, "--json-schema", "-", "--max-tokens", 3);
        assertThat(few.code()).isEqualTo(1);
        assertThat(few.err()).contains("found maxTokens 3 and ", "expected at least ");
    }
}

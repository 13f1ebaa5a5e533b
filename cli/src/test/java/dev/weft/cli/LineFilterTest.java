package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code weft prompt} and {@code weft tokenize}: a line in, a line out, whatever the line is. */
class LineFilterTest {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final Path MODEL = DemoModel.locate(null);
    private static final String REQUEST =
            "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi é\"}], \"options\": {\"thinking_mode\": \"chat\"}}\n";

    private static List<JsonNode> lines(Run run) {
        assertThat(run.code()).isZero();
        assertThat(run.err()).isEmpty();
        return Arrays.stream(run.out().split("\n")).map(MAPPER::readTree).toList();
    }

    @Test
    void promptWritesAndReads() {
        List<JsonNode> answers = lines(Run.withInput(
                REQUEST
                        + "{\"thinking_mode\": \"thinking\", \"text\": \"R</think>C\\n\\n<｜DSML｜tool_calls>\\n<｜DSML｜invoke"
                        + " name=\\\"f\\\">\\n\\n</｜DSML｜invoke>\\n</｜DSML｜tool_calls><｜end▁of▁sentence｜>\"}",
                "prompt"));
        assertThat(answers).hasSize(2);
        assertThat(answers.getFirst().get("prompt").stringValue())
                .isEqualTo("<｜begin▁of▁sentence｜><｜User｜>Hi é<｜Assistant｜></think>");
        assertThat(answers.getLast())
                .isEqualTo(MAPPER.readTree("{\"parsed\": {\"role\": \"assistant\", \"content\": \"C\","
                        + " \"reasoning_content\": \"R\", \"tool_calls\": [{\"type\": \"function\", \"function\":"
                        + " {\"name\": \"f\", \"arguments\": \"{}\"}}]}}"));
    }

    @Test
    void errorsDoNotEndTheStream() {
        List<String> wrong = List.of(
                "nonsense",
                "{\"messages\": ",
                "{} {}",
                "7",
                "{\"text\": \"x\"}",
                "{\"messages\": 7, \"options\": {\"thinking_mode\": \"chat\"}}",
                "{\"messages\": [{\"role\": \"wizard\"}], \"options\": {\"thinking_mode\": \"chat\"}}",
                "{\"messages\": [{\"role\": \"user\", \"content\": 7}], \"options\": {\"thinking_mode\": \"chat\"}}",
                "{\"messages\": [], \"options\": {}}",
                "{\"messages\": [], \"options\": {\"thinking_mode\": \"chat\", \"temperature\": 1}}",
                "{\"messages\": [{\"role\": \"user\"}], \"options\": {\"thinking_mode\": \"thinking\","
                        + " \"reasoning_effort\": \"max\"}}",
                "{\"thinking_mode\": \"chat\", \"text\": \"no end\"}",
                "[".repeat(100_000));
        List<JsonNode> answers = lines(Run.withInput(String.join("\n", wrong) + "\n\n \n" + REQUEST, "prompt"));
        assertThat(answers).hasSize(wrong.size() + 1);
        assertThat(answers.subList(0, wrong.size()))
                .allSatisfy(a -> assertThat(a.get("error").stringValue()).isNotEmpty());
        assertThat(answers.get(6).get("error").stringValue()).startsWith("messages[0]: role: found 'wizard'");
        assertThat(answers.get(10).get("error").stringValue()).contains("needs the text effort_max");
        assertThat(answers.getLast().has("prompt")).isTrue();
    }

    @Test
    void bytesThatAreNoTextAreAnError() {
        byte[] input = "\"\u00e9\"\n\"x\"\n".getBytes(StandardCharsets.ISO_8859_1);
        List<JsonNode> answers = lines(Run.withInput(input, "tokenize", MODEL));
        assertThat(answers.getFirst().get("error").stringValue()).contains("not UTF-8");
        assertThat(answers.getLast().isArray()).isTrue();
    }

    @Test
    void halvesOfCharactersSurvive() {
        Run run = Run.withInput(REQUEST.replace("Hi", "\\ud83d\\ude42 \\ud83d"), "prompt");
        assertThat(lines(run).getFirst().get("prompt").stringValue()).contains("🙂 \ud83d é");
        assertThat(run.out()).contains("\\ud83d");
    }

    @Test
    void tokenizeGoesBothWays() {
        String texts = "\"\"\n\"It is <｜User｜> \\n\\\"é\\\" 你好🙂\"\n7\n";
        Run encoded = Run.withInput(texts, "tokenize", MODEL.resolve("tokenizer.json"));
        List<JsonNode> ids = lines(encoded);
        assertThat(ids).hasSize(3);
        assertThat(ids.getFirst().isArray() && ids.getFirst().isEmpty()).isTrue();
        assertThat(ids.getLast().get("error").stringValue()).isEqualTo("line: found 7, expected a JSON string");
        Run decoded = Run.withInput(encoded.out() + "[-1]\n[1.5]\n\"x\"\n[0,]\n", "tokenize", "--decode", MODEL);
        List<JsonNode> answers = lines(decoded);
        assertThat(answers).hasSize(7);
        assertThat(answers.get(1).stringValue()).isEqualTo("It is <｜User｜> \n\"é\" 你好🙂");
        assertThat(answers.subList(2, 7))
                .allSatisfy(a -> assertThat(a.has("error")).isTrue());
    }

    @Test
    void wrongFilesAreNamed() {
        Run texts = Run.of("prompt", "--texts", "no-such-file");
        assertThat(texts.code()).isEqualTo(1);
        assertThat(texts.err()).isEqualTo("weft: no-such-file: does not exist\n");
        Run tokenizer = Run.of("tokenize", "no-such-file");
        assertThat(tokenizer.code()).isEqualTo(1);
        assertThat(tokenizer.err()).startsWith("weft: no-such-file: found no regular file");
        assertThat(Run.of("tokenize").code()).isEqualTo(2);
    }
}

package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.CheckpointException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptTextsTest {
    @TempDir
    private Path folder;

    private Path write(String name, String content) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, content);
    }

    @Test
    void literalsAreFoundAsPythonReadsThem() {
        String source = """
                # "not this"
                A = 'it\\'s'  # 'nor this'
                B = ("one "
                     # between
                     r"t\\w" f"o")
                C: str = \"""three
                <{dsml_token}x> {{}} {schemas}
                {thinking_start_token}{thinking_end_token}\\
                \\u4f60\\x41\"""
                """;
        assertThat(PythonTemplates.candidates(source))
                .containsExactly(
                        "it's",
                        "one ",
                        "t\\w",
                        "o",
                        "one t\\wo",
                        "three\n<{dsml_token}x> {{}} {schemas}\n{thinking_start_token}{thinking_end_token}你A",
                        "three\n<｜DSML｜x> {} ",
                        "\n<think></think>你A");
    }

    @Test
    void brokenPythonDoesNoHarm() {
        for (String source : new String[] {"'", "\"\"\"", "x = 'a\\", "\\", "'\\u12", "f'{", "'\\Uffffffff'", "rb"}) {
            assertThat(PythonTemplates.candidates(source)).hasSizeLessThan(4);
        }
        assertThat(PythonTemplates.candidates("'{a}'".repeat(20_000))).isNotEmpty();
    }

    /** Writes a module of the kind that checkpoints have from the known texts, and reads it back. */
    @Test
    void textsAreReadFromTheEncodersSource() throws IOException {
        PromptTexts known = ChatCases.texts();
        String tools = known.find(PromptText.TOOLS_PREFIX)
                .orElseThrow()
                .replace("｜DSML｜", "{dsml_token}")
                .replace("</think>", "{thinking_end_token}")
                .replace("<think>", "{thinking_start_token}");
        String effort = known.find(PromptText.EFFORT_MAX).orElseThrow();
        int cut = effort.indexOf('\n') + 1;
        write(
                "model/encoding/encoding_dsv4.py",
                "dsml_token: str = \"｜DSML｜\"\n"
                        + "TOOLS = \"\"\"" + tools + "{tool_schemas}"
                        + known.find(PromptText.TOOLS_SUFFIX).orElseThrow() + "\"\"\"\n"
                        + "format_template: str = (\n    \""
                        + escaped(known.find(PromptText.RESPONSE_FORMAT_PREFIX).orElseThrow())
                        + "{schema}\"\n)\n"
                        + "EFFORT = (\n    \"" + escaped(effort.substring(0, cut)) + "\"\n    '"
                        + escaped(effort.substring(cut)) + "'\n)\n");
        write("model/encoding/README.md", "not read");
        assertThat(PromptTexts.isIn(folder.resolve("model"))).isTrue();
        PromptTexts read = PromptTexts.load(folder.resolve("model"));
        for (PromptText text : PromptText.values()) {
            assertThat(read.find(text)).isEqualTo(known.find(text));
        }
        assertThat(read.revision()).isEqualTo(Revision.APRIL);
        assertThat(PromptTexts.load(folder.resolve("model/encoding/encoding_dsv4.py"))
                        .find(PromptText.TOOLS_PREFIX))
                .isPresent();
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\")
                .replace("\"", "\\\"")
                .replace("'", "\\'")
                .replace("\n", "\\n");
    }

    @Test
    void aTextThatIsNotTheTrainedOneIsRefused() throws IOException {
        Path file = write("texts.json", "{\"texts\": {\"tools_suffix\": {\"text\": \"\\n\\nBe nice.\\n\"}}}");
        assertThatThrownBy(() -> PromptTexts.load(file))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("texts.tools_suffix: found 11 bytes with SHA-256 ")
                .hasMessageContaining("expected 99 with 690702850fe2");
    }

    @Test
    void refusesWhatHasNoTexts() throws IOException {
        assertThatThrownBy(() -> PromptTexts.load(folder.resolve("none.json")))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("does not exist");
        Path wrongType = write("type.json", "{\"texts\": {\"effort_max\": {\"text\": 5}}}");
        assertThatThrownBy(() -> PromptTexts.load(wrongType)).hasMessageContaining("found a number, expected a string");
        Path empty = write("empty.json", "{}");
        assertThatThrownBy(() -> PromptTexts.load(empty)).hasMessageContaining("found none of the texts");
        Path list = write("list.json", "[]");
        assertThatThrownBy(() -> PromptTexts.load(list)).hasMessageContaining("expected a JSON object");
        Path python = write("other.py", "print('hello')\n");
        assertThatThrownBy(() -> PromptTexts.load(python)).hasMessageContaining("found none of the texts");
        Path latin = folder.resolve("latin.py");
        Files.write(latin, "x = 'é'".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> PromptTexts.load(latin)).hasMessageContaining("is not UTF-8");
        Path large = write("large.py", " ".repeat((4 << 20) + 1));
        assertThatThrownBy(() -> PromptTexts.load(large)).hasMessageContaining("at most 4194304");
    }
}

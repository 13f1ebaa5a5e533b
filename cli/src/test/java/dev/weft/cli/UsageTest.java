package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Exit codes and messages of what is typed wrongly. */
class UsageTest {
    private static final Path MODEL = DemoModel.locate(null);

    @TempDir
    private Path folder;

    @Test
    void withoutCommandIsWrong() {
        Run run = Run.of();
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("a command is missing").contains("weft --help");
    }

    @Test
    void unknownCommandNamesTheOthers() {
        Run run = Run.of("talk");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err())
                .startsWith("weft: no command 'talk', expected one of ")
                .contains("generate", "logits");
    }

    @Test
    void helpListsAllCommands() {
        Run run = Run.of("--help");
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .contains(
                        "demo",
                        "devices",
                        "inspect",
                        "generate",
                        "chat",
                        "logits",
                        "prompt",
                        "tokenize",
                        "synth",
                        "verify",
                        "compare",
                        "bench",
                        "plan");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "demo",
                "devices",
                "inspect",
                "generate",
                "chat",
                "logits",
                "prompt",
                "tokenize",
                "synth",
                "verify",
                "compare",
                "bench",
                "plan"
            })
    void everyCommandHasHelp(String command) {
        Run run = Run.of(command, "--help");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("Usage: weft " + command).contains("--stacktrace");
        assertThat(run.err()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{}             | found no array",
                "[]             | found an empty array",
                "[0, 1          | not JSON",
                "[0, 1.5]       | element 1: found 1.5",
                "[0, \"1\"]     | element 1: found \"1\"",
                "[0, 4294967296]| element 1: found 4294967296",
            })
    void idsMustBeAnArrayOfIntegers(String content, String message) throws IOException {
        Run run = logits(ids(content), 1);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(message);
        assertThat(run.err().lines()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 4})
    void splitMustLieWithinTheTokens(int split) throws IOException {
        Run run = logits(ids("[0, 1, 2]"), split);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("weft: --split: found " + split + ", expected 1 to 3");
    }

    @Test
    void idOutsideTheVocabularyFails() throws IOException {
        Run run = logits(ids("[0, 1280]"), 2);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).isEqualTo("weft: tokens: found id 1280, expected 0 to 1279\n");
        assertThat(folder.resolve("out.safetensors")).doesNotExist();
    }

    @Test
    void theFolderOfTheOutputMustExist() throws IOException {
        Run run = Run.of(
                "logits",
                MODEL,
                "--tokens",
                ids("[0]"),
                "--split",
                1,
                "--out",
                folder.resolve("none").resolve("x"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("weft: --out: found ");
    }

    @ParameterizedTest
    @CsvSource({
        "--temperature, NaN, 2, temperature NaN",
        "--temperature, -1, 2, temperature -1.0",
        "--temperature, warm, 2, not a float",
        "--top-p, 0, 2, topP 0.0",
        "--top-p, NaN, 2, topP NaN",
        "--max-tokens, -1, 2, maxTokens -1",
        "--threads, -1, 2, --threads: found -1",
        "--context, -4, 2, --context: found -4",
        "--context, 2, 1, context of 2",
        "--numerics, fp8, 2, 'expected one of fp32, qat32, bf16'",
        "--device, gpu:0, 1, device gpu:0: no such backend",
        "--device, cpu:99, 1, cpu:99",
        "--device, cpu:0/abacus, 1, abacus",
        "--device, nonsense, 1, device id 'nonsense'",
    })
    void generateRefusesBadOptions(String option, String value, int code, String message) {
        Run run = Run.of("generate", MODEL, "--prompt", "A short text", option, value);
        assertThat(run.code()).isEqualTo(code);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("weft: ").contains(message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"generate", "chat", "inspect", "logits"})
    void aMissingModelIsNamed(String command) {
        List<Object> arguments = switch (command) {
            case "generate" -> List.of(command, "no-such-model", "--prompt", "x");
            case "inspect", "chat" -> List.of(command, "no-such-model");
            default -> List.of(command, "no-such-model", "--tokens", idsFile(), "--split", 1, "--out", "x");
        };
        Run run = Run.of(arguments.toArray());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("weft: MODEL: no-such-model: no such folder");
    }

    @Test
    void stackTraceIsShownOnlyWhenAskedFor() {
        Run brief = Run.of("generate", MODEL, "--prompt", "x", "--device", "gpu:0");
        assertThat(brief.err().lines()).hasSize(1);
        Run full = Run.of("generate", MODEL, "--prompt", "x", "--device", "gpu:0", "--stacktrace");
        assertThat(full.err()).contains("\tat dev.weft.");
    }

    @Test
    void promptAndTokensExcludeEachOther() throws IOException {
        Run both = Run.of("generate", MODEL, "--prompt", "x", "--tokens", ids("[0]"));
        assertThat(both.code()).isEqualTo(2);
        Run chat = Run.of("generate", MODEL, "--chat", "--tokens", ids("[0]"));
        assertThat(chat.code()).isEqualTo(2);
        Run none = Run.of("generate", MODEL);
        assertThat(none.code()).isEqualTo(2);
    }

    @Test
    void chatOptionsNeedChatAndTheTextsOfTheirMode() throws IOException {
        Run alone = Run.of("generate", MODEL, "--prompt", "x", "--system", "Be brief.");
        assertThat(alone.code()).isEqualTo(2);
        assertThat(alone.err()).contains("found without --chat");
        Run mode = Run.of("generate", MODEL, "--prompt", "x", "--chat", "--mode", "think");
        assertThat(mode.code()).isEqualTo(2);
        assertThat(mode.err()).contains("--mode: found 'think', expected one of [non-think, think-high, think-max]");
        Run max = Run.of("generate", MODEL, "--prompt", "x", "--chat", "--mode", "think-max");
        assertThat(max.code()).isEqualTo(1);
        assertThat(max.err()).contains("needs the text effort_max");
        Path tools = Files.writeString(folder.resolve("tools.json"), "[{\"type\": \"function\"}]");
        Run broken = Run.of("generate", MODEL, "--prompt", "x", "--chat", "--tools", tools);
        assertThat(broken.code()).isEqualTo(1);
        assertThat(broken.err()).startsWith("weft: tools[0].function: found nothing, expected an object");
    }

    @Test
    void numbersDoNotFollowTheLocale() {
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.GERMANY);
            Run run = Run.of("generate", MODEL, "--prompt", "It is", "--max-tokens", 2);
            assertThat(run.err()).containsPattern("[0-9]\\.[0-9] tokens/s").doesNotContainPattern("[0-9],[0-9]");
        } finally {
            Locale.setDefault(before);
        }
    }

    private Run logits(Path ids, int split) {
        return Run.of("logits", MODEL, "--tokens", ids, "--split=" + split, "--out", folder.resolve("out.safetensors"));
    }

    private Path ids(String content) throws IOException {
        return Files.writeString(idsFile(), content);
    }

    private Path idsFile() {
        return folder.resolve("ids.json");
    }
}

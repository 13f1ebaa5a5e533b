package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CompletionParserTest {
    /** Writes {@code <E>} for end of sentence and {@code |} for the marker of tags. */
    private static Message parse(String brief, ThinkingMode mode) {
        return CompletionParser.parse(expanded(brief), mode);
    }

    static String expanded(String brief) {
        return brief.replace("<E>", SpecialTokens.END_OF_SENTENCE).replace("|", SpecialTokens.DSML);
    }

    private static String call(String inside) {
        return "\n\n<|tool_calls>\n<|invoke name=\"f\">\n" + inside + "\n</|invoke>\n</|tool_calls>";
    }

    private static String parameter(String name, boolean string, String value) {
        return "<|parameter name=\"" + name + "\" string=\"" + string + "\">" + value + "</|parameter>";
    }

    private static List<ToolCall> calls(String brief) {
        return parse(brief, ThinkingMode.CHAT).toolCalls();
    }

    @Test
    void readsEveryPart() {
        Message message = parse("R\n</think>C\n" + call(parameter("a", true, "x<")) + "<E>", ThinkingMode.THINKING);
        assertThat(message)
                .isEqualTo(Message.assistant("C\n")
                        .withReasoning("R\n")
                        .withToolCalls(List.of(new ToolCall("", "f", "{\"a\": \"x<\"}"))));
        assertThat(parse("<E>", ThinkingMode.CHAT)).isEqualTo(Message.assistant(""));
        assertThat(parse("</think><E>", ThinkingMode.THINKING)).isEqualTo(Message.assistant(""));
    }

    @Test
    void argumentsAreJson() {
        assertThat(calls(call("") + "<E>")).containsExactly(new ToolCall("", "f", "{}"));
        assertThat(calls(call(
                        parameter("q\"q", true, "\"\\\n") + "\n" + parameter("n", false, " [1]")))) // may stay open
                .containsExactly(new ToolCall("", "f", "{\"q\\\"q\": \"\\\"\\\\\\n\", \"n\":  [1]}"));
        assertThat(calls(call(parameter("a", true, "\" string=\"true\">")) + "<E>"))
                .containsExactly(new ToolCall("", "f", "{\"a\": \"\\\" string=\\\"true\\\">\"}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "no end",
                "text<E>more",
                "text<E><E>",
                "<think>text<E>",
                "a</think>b<E>",
                "a|b<E>",
                "\n\n<|tool_calls",
                "\n\n<|tool_calls>",
                "\n\n<|tool_calls>\n",
                "\n\n<|tool_calls></|tool_calls><E>",
                "\n\n<|tool_calls>\n<|invoke name=\"f\">\n\n</|invoke>\n</|tool_calls> <E>",
                "\n\n<|tool_calls>\n<|invoke name=\"f\">\n\n</|invoke>\n</|tool_calls><E>x",
                "\n\n<|tool_calls>\n <|invoke name=\"f\">\n\n</|invoke>\n</|tool_calls><E>",
                "\n\n<|tool_calls>\n<|invoke name=\"f\">\n\n</|invoke></|tool_calls><E>",
                "\n\n<|tool_calls>\n<|invoke name=f>\n\n</|invoke>\n</|tool_calls><E>",
                "\n\n<|tool_calls>\n<|invoke name=\"f\"></|invoke>\n</|tool_calls><E>",
                "\n\n<|tool_calls>\n<|invoke name=\">\n</|invoke>\n</|tool_calls><E>",
                "\n\n<|tool_calls>\n<|invoke name=\"f\">\n\n",
                "\n\n<|tool_calls>\n<|invoke name=\"f\">\n<|parameter name=\"a\" string=\"true\">v",
                "\n\n<|tool_calls>\n<|invoke name=\"f\">\n<|parameter name=\"a\">v</|parameter>\n</|invoke>\n</|tool_calls>",
            })
    void refusesWhatIsNotWellFormed(String brief) {
        assertThatThrownBy(() -> parse(brief, ThinkingMode.CHAT))
                .isInstanceOf(CompletionFormatException.class)
                .hasMessageStartingWith("completion: at character ");
    }

    @Test
    void refusesParametersGivenTwice() {
        assertThatThrownBy(() -> calls(call(parameter("a", true, "1") + "\n" + parameter("a", false, "2"))))
                .isInstanceOf(CompletionFormatException.class)
                .hasMessageContaining("parameter 'a' twice");
    }

    @Test
    void reasoningMustBeClosedBeforeToolCalls() {
        assertThatThrownBy(() -> parse("R" + call("") + "</think><E>", ThinkingMode.THINKING))
                .isInstanceOf(CompletionFormatException.class)
                .hasMessageContaining("not closed by </think>");
    }

    @Test
    void messagesStayShort() {
        assertThatThrownBy(() -> calls(call(parameter("a", true, "x") + "y".repeat(1 << 20))))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(600));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\n\n<｜DSML｜tool_call",
                "<｜end▁of▁sentence",
                "</",
                "\n",
                ">\n<｜DSML｜invoke name=\"f\">\n\n</｜DSML｜invoke",
                "<｜DSML｜parameter name=\""
            })
    void hostileTextTakesLinearTime(String part) {
        String text = "\n\n<｜DSML｜tool_calls" + part.repeat((4 << 20) / part.length());
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            assertThatThrownBy(() -> CompletionParser.parse(text, ThinkingMode.CHAT))
                    .isInstanceOf(CompletionFormatException.class);
            assertThatThrownBy(() -> CompletionParser.parse(text.substring(2), ThinkingMode.THINKING))
                    .isInstanceOf(CompletionFormatException.class);
        });
    }
}

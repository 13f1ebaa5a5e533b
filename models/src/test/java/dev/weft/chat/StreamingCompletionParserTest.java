package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class StreamingCompletionParserTest {
    private static final String CALL = "<|invoke name=\"f\">\n<|parameter name=\"a\" string=\"true\">1";

    private static List<String> chat(String brief) {
        return EventLog.of(ThinkingMode.CHAT, List.of(CompletionParserTest.expanded(brief)));
    }

    private static List<String> thinking(String brief) {
        return EventLog.of(ThinkingMode.THINKING, List.of(CompletionParserTest.expanded(brief)));
    }

    @Test
    void readsWellFormedText() {
        assertThat(thinking("R</think>C\n\n<|tool_calls>\n" + CALL + "</|parameter>\n</|invoke>\n</|tool_calls><E>"))
                .containsExactly(
                        "reasoning R", "content C", "call 0 f", "arguments 0 {\"a\": \"1\"}", "endcall 0", "end");
        assertThat(chat("C<E>")).containsExactly("content C", "end");
        assertThat(chat("")).containsExactly("end broken");
    }

    @Test
    void forgivesMissingEnds() {
        assertThat(chat("C")).containsExactly("content C", "end broken");
        assertThat(chat("C\n\n<|tool_c")).containsExactly("content C\n\n<｜DSML｜tool_c", "end broken");
        assertThat(thinking("R")).containsExactly("reasoning R", "end broken");
        assertThat(thinking("R<E>")).containsExactly("reasoning R", "end");
        assertThat(thinking("R\n\n<|tool_calls>" + CALL))
                .containsExactly(
                        "reasoning R", "call 0 f", "arguments 0 {\"a\": \"1\"}", "endcall 0 broken", "end broken");
        assertThat(chat("<|tool_calls>" + CALL + "</|parameter>" + CALL + "</|parameter></|tool_calls>C<E>"))
                .containsExactly(
                        "call 0 f",
                        "arguments 0 {\"a\": \"1\"}",
                        "endcall 0 broken",
                        "call 1 f",
                        "arguments 1 {\"a\": \"1\"}",
                        "endcall 1 broken",
                        "content C",
                        "end");
        assertThat(chat("<|tool_calls><|invoke name=\"f\">\n<|parameter name=\"a\" string=\"false\">12"))
                .containsExactly("call 0 f", "arguments 0 {}", "endcall 0 broken", "end broken");
    }

    @Test
    void forgivesDeviations() {
        assertThat(chat("<think>R</think>C<E>")).containsExactly("reasoning R", "content C", "end");
        assertThat(chat("C<E>more")).containsExactly("content C", "end");
        assertThat(
                        chat(
                                "<|tool_calls> a <|invoke name=\"f\"> b <|parameter name=\"x\">v</|parameter></|invoke></|tool_calls>\n<E>"))
                .containsExactly(
                        "content a ",
                        "call 0 f",
                        "arguments 0 {",
                        "content b ",
                        "arguments 0 \"x\": \"v\"}",
                        "endcall 0",
                        "end");
        assertThat(chat("<|tool_calls><|invoke name=\"f\">"
                        + "<|parameter name=\"x\" string=\"false\">[1</|parameter>"
                        + "<|parameter name=\"x\" string=\"true\">2</|parameter>"
                        + "<|parameter name=\"y\" string=\"false\">NaN</|parameter>"
                        + "<|parameter name=\"z\" string=\"false\">[1]</|parameter></|invoke><E>"))
                .containsExactly(
                        "call 0 f", "arguments 0 {\"x\": \"[1\", \"y\": \"NaN\", \"z\": [1]}", "endcall 0", "end");
    }

    @Test
    void textIsReportedAsSoonAsItIsCertain() {
        EventLog log = new EventLog();
        StreamingCompletionParser parser = new StreamingCompletionParser(ThinkingMode.CHAT, log);
        parser.accept("Hello\n\n<｜DSML｜tool_call");
        assertThat(log.entries()).containsExactly("content Hello");
        parser.accept("ers\ud83d");
        assertThat(log.entries()).containsExactly("content Hello\n\n<｜DSML｜tool_callers");
        parser.accept("\ude42");
        assertThat(log.entries()).containsExactly("content Hello\n\n<｜DSML｜tool_callers🙂");
        parser.accept(
                "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" string=\"true\">long");
        assertThat(log.entries()).endsWith("arguments 0 {\"a\": \"long");
        parser.accept(" text");
        assertThat(log.entries()).endsWith("arguments 0 {\"a\": \"long text");
    }

    @Test
    void finishingTwiceEndsOnce() {
        EventLog log = new EventLog();
        StreamingCompletionParser parser = new StreamingCompletionParser(ThinkingMode.CHAT, log);
        parser.finish();
        parser.finish();
        assertThat(log.entries()).containsExactly("end broken");
    }

    /** Random mixtures of markers and text, most of them malformed, cut at random. */
    @Test
    void cutsDoNotMatterAndArgumentsAreAlwaysJson() {
        List<String> parts = List.of(
                "<|tool_calls>",
                "</|tool_calls>",
                "<|invoke name=\"",
                "</|invoke>",
                "<|parameter name=\"",
                "f\">",
                "\n",
                "a\" string=\"true\">",
                "b\" string=\"false\">",
                "</|parameter>",
                "<E>",
                "<think>",
                "</think>",
                "\n\n",
                "{\"a\":1}",
                "7",
                "\"",
                "text",
                "<",
                "</",
                "|",
                "\ud83d",
                "\ude42",
                "\\",
                "\u0001",
                "🙂",
                " ");
        SplittableRandom random = new SplittableRandom(11);
        int calls = 0;
        for (int i = 0; i < 5_000; i++) {
            StringBuilder brief = new StringBuilder();
            for (int n = random.nextInt(40); n > 0; n--) {
                brief.append(parts.get(random.nextInt(parts.size())));
            }
            // an end in the middle of most texts would leave little to read
            String text = CompletionParserTest.expanded(
                    random.nextInt(4) == 0 ? brief.toString() : brief.toString().replace("<E>", ""));
            ThinkingMode mode = random.nextBoolean() ? ThinkingMode.CHAT : ThinkingMode.THINKING;
            List<String> whole = EventLog.of(mode, List.of(text));
            assertThat(EventLog.of(mode, cut(text, random))).as(text).isEqualTo(whole);
            assertThat(EventLog.of(mode, List.of(text.split("")))).as(text).isEqualTo(whole);
            assertThat(whole.getLast()).startsWith("end");
            for (ToolCall call : MessageCollector.read(text, mode).toolCalls()) {
                JsonNode arguments = ChatCases.MAPPER.readTree(call.arguments());
                assertThat(arguments.isObject()).as(text).isTrue();
                calls++;
            }
        }
        assertThat(calls).isGreaterThan(300);
    }

    static List<String> cut(String text, SplittableRandom random) {
        List<String> pieces = new ArrayList<>();
        int position = 0;
        while (position < text.length()) {
            int end = Math.min(text.length(), position + random.nextInt(random.nextBoolean() ? 4 : 40));
            pieces.add(text.substring(position, end));
            position = end;
        }
        return pieces;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\n\n<｜DSML｜tool_call",
                "<",
                "\n",
                "<｜DSML｜tool_calls><｜DSML｜invoke name=\"",
                "<｜DSML｜tool_calls><｜DSML｜invoke name=\"f\">",
                "<｜DSML｜tool_calls><｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"a\" string=\"false\">[",
                "<｜DSML｜tool_calls><｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"a\" string=\"true\">x</｜DSML｜parameter>"
            })
    void hostileTextTakesLinearTime(String part) {
        String text = part.repeat((2 << 20) / part.length());
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            MessageCollector whole = new MessageCollector();
            StreamingCompletionParser atOnce = new StreamingCompletionParser(ThinkingMode.CHAT, whole);
            atOnce.accept(text);
            atOnce.finish();
            MessageCollector pieces = new MessageCollector();
            StreamingCompletionParser slowly = new StreamingCompletionParser(ThinkingMode.CHAT, pieces);
            for (int i = 0; i < text.length(); i++) {
                slowly.accept(text.substring(i, i + 1));
            }
            slowly.finish();
            assertThat(pieces.message()).isEqualTo(whole.message());
        });
    }
}

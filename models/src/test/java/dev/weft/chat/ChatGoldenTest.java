package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** Byte-for-byte agreement with the encoder that ships with V4 checkpoints, on stored cases. */
class ChatGoldenTest {
    @TestFactory
    Stream<DynamicTest> writesTheCarriedPrompts() throws IOException {
        return prompts(ChatCases.carried(), PromptTexts.none());
    }

    @TestFactory
    Stream<DynamicTest> readsTheCarriedCompletions() throws IOException {
        return completions(ChatCases.carried());
    }

    @TestFactory
    Stream<DynamicTest> writesAllPrompts() throws IOException {
        return prompts(ChatCases.all(), ChatCases.texts());
    }

    @TestFactory
    Stream<DynamicTest> readsAllCompletions() throws IOException {
        return completions(ChatCases.all());
    }

    @Test
    void thereAreAllCases() throws IOException {
        assertThat(ChatCases.carried().get("encode").size()).isEqualTo(21);
        assertThat(ChatCases.carried().get("parse").size()).isEqualTo(5);
        assertThat(ChatCases.all().get("encode").size()).isEqualTo(30);
        assertThat(ChatCases.all().get("parse").size()).isEqualTo(5);
    }

    private static Stream<DynamicTest> prompts(JsonNode cases, PromptTexts texts) {
        PromptEncoder encoder = new PromptEncoder(texts);
        return cases.get("encode")
                .valueStream()
                .map(stored -> DynamicTest.dynamicTest(name(stored), () -> {
                    ChatRequest request = ChatJson.readRequest(stored.toString());
                    assertThat(ChatJson.readRequest(ChatJson.write(request))).isEqualTo(request);
                    String prompt = encoder.encode(request.messages(), request.options())
                            .text();
                    assertThat(prompt).isEqualTo(stored.get("expected").stringValue());
                    if (stored.has("expected_sha256")) {
                        byte[] utf8 = prompt.getBytes(StandardCharsets.UTF_8);
                        assertThat(utf8)
                                .hasSize(stored.get("expected_utf8_bytes").intValue());
                        assertThat(PromptText.hash(utf8))
                                .isEqualTo(stored.get("expected_sha256").stringValue());
                    }
                }));
    }

    private static Stream<DynamicTest> completions(JsonNode cases) {
        return cases.get("parse")
                .valueStream()
                .map(stored -> DynamicTest.dynamicTest(name(stored), () -> {
                    String text = stored.get("text").stringValue();
                    ThinkingMode mode =
                            ThinkingMode.of(stored.get("thinking_mode").stringValue());
                    if (stored.has("error")) {
                        assertThatThrownBy(() -> CompletionParser.parse(text, mode))
                                .isInstanceOf(CompletionFormatException.class);
                    } else {
                        String written = ChatJson.write(CompletionParser.parse(text, mode));
                        assertThat(ChatCases.MAPPER.readTree(written)).isEqualTo(stored.get("parsed"));
                    }
                }));
    }

    private static String name(JsonNode stored) {
        return stored.path("name").asString(stored.path("text").asString(""));
    }
}

package dev.weft.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.text.SharedData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Byte-for-byte agreement with the encoder that ships with V4 checkpoints, on stored cases. */
class ChatGoldenTest {
    private static final JsonMapper MAPPER = new JsonMapper();

    private static JsonNode cases() throws IOException {
        return MAPPER.readTree(Files.readAllBytes(SharedData.golden("").resolve("chat.json")));
    }

    private static PromptTexts texts() {
        return PromptTexts.load(SharedData.golden("").resolve("prompt-texts.json"));
    }

    @TestFactory
    Stream<DynamicTest> writesTheStoredPrompts() throws IOException {
        PromptEncoder encoder = new PromptEncoder(texts());
        return cases().path("encode").valueStream().map(stored -> DynamicTest.dynamicTest(name(stored), () -> {
            ChatRequest request = ChatJson.readRequest(stored.toString());
            String prompt = encoder.encode(request.messages(), request.options()).text();
            assertThat(prompt).isEqualTo(stored.get("expected").stringValue());
            byte[] utf8 = prompt.getBytes(StandardCharsets.UTF_8);
            assertThat(utf8).hasSize(stored.get("expected_utf8_bytes").intValue());
            assertThat(PromptText.hash(utf8))
                    .isEqualTo(stored.get("expected_sha256").stringValue());
        }));
    }

    @TestFactory
    Stream<DynamicTest> readsTheStoredCompletions() throws IOException {
        return cases().path("parse").valueStream().map(stored -> DynamicTest.dynamicTest(name(stored), () -> {
            String text = stored.get("text").stringValue();
            ThinkingMode mode = ThinkingMode.of(stored.get("thinking_mode").stringValue());
            if (stored.has("error")) {
                assertThatThrownBy(() -> CompletionParser.parse(text, mode))
                        .isInstanceOf(CompletionFormatException.class);
            } else {
                assertThat(MAPPER.readTree(ChatJson.write(CompletionParser.parse(text, mode))))
                        .isEqualTo(stored.get("parsed"));
            }
        }));
    }

    private static String name(JsonNode stored) {
        return stored.path("name").asString(stored.path("text").asString(""));
    }

    @Test
    void isWholeAndOfTheFirstRevision() throws IOException {
        assertThat(cases().path("encode").size()).isEqualTo(30);
        assertThat(cases().path("parse").size()).isEqualTo(5);
        assertThat(texts().revision()).isEqualTo(Revision.APRIL);
        Path none = SharedData.golden("tokenizer").resolve("cases.json");
        assertThatThrownBy(() -> PromptTexts.load(none)).hasMessageContaining("expected a JSON object");
    }
}

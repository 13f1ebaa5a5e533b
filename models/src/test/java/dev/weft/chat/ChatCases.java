package dev.weft.chat;

import dev.weft.text.SharedData;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.opentest4j.TestAbortedException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Stored conversations and what the encoder that ships with V4 checkpoints makes of them. */
final class ChatCases {
    static final JsonMapper MAPPER = new JsonMapper();

    private ChatCases() {}

    /** The cases that need no constant text: they travel with the tests. */
    static JsonNode carried() throws IOException {
        try (InputStream in = ChatCases.class.getResourceAsStream("chat-cases.json")) {
            return MAPPER.readTree(in);
        }
    }

    /** All cases; a test that asks for them is skipped where the golden data is absent. */
    static JsonNode all() throws IOException {
        return MAPPER.readTree(Files.readAllBytes(golden().resolve("chat.json")));
    }

    /** The constant texts; skips like {@link #all}. */
    static PromptTexts texts() {
        return PromptTexts.load(golden().resolve("prompt-texts.json"));
    }

    /** The constant texts if they are here, else none of them. */
    static Optional<PromptTexts> textsIfHere() {
        try {
            return Optional.of(texts());
        } catch (TestAbortedException e) {
            return Optional.empty();
        }
    }

    static Path golden() {
        return SharedData.golden("");
    }
}

package dev.weft.chat;

import dev.weft.RequestException;

/** Whether the model reasons before it answers (specification 8.4). */
public enum ThinkingMode {
    /** Answer at once. */
    CHAT("chat"),
    /** Reason, close with {@code </think>}, then answer. */
    THINKING("thinking");

    private final String wireName;

    ThinkingMode(String wireName) {
        this.wireName = wireName;
    }

    /** The name in JSON. */
    public String wireName() {
        return wireName;
    }

    /** @throws RequestException if no mode has this name */
    public static ThinkingMode of(String wireName) {
        return WireNames.find(values(), ThinkingMode::wireName, "thinking_mode", wireName);
    }
}

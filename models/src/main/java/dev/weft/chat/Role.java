package dev.weft.chat;

import dev.weft.RequestException;

/** Who speaks (specification 8.5). */
public enum Role {
    SYSTEM("system"),
    USER("user"),
    ASSISTANT("assistant"),
    /** The result of a tool call. */
    TOOL("tool"),
    /** Facts of the day, written right before what they remind of. */
    LATEST_REMINDER("latest_reminder"),
    /** Instructions in the place of a user's message. */
    DEVELOPER("developer");

    private final String wireName;

    Role(String wireName) {
        this.wireName = wireName;
    }

    /** The name in JSON. */
    public String wireName() {
        return wireName;
    }

    /** @throws RequestException if no role has this name */
    public static Role of(String wireName) {
        return WireNames.find(values(), Role::wireName, "role", wireName);
    }

    /** Whether an answer follows a message of this role. */
    boolean asks() {
        return this == USER || this == DEVELOPER;
    }
}

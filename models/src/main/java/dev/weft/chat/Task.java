package dev.weft.chat;

import dev.weft.RequestException;

/** Short jobs beside the conversation, each started by a token of its own (specification 8.5). */
public enum Task {
    /** Decide whether to search; the only task that is written after the assistant's header. */
    ACTION("action", "<｜action｜>"),
    QUERY("query", "<｜query｜>"),
    AUTHORITY("authority", "<｜authority｜>"),
    DOMAIN("domain", "<｜domain｜>"),
    /** Name the conversation; stands on an assistant's message. */
    TITLE("title", "<｜title｜>"),
    READ_URL("read_url", "<｜read_url｜>");

    private final String wireName;
    private final String token;

    Task(String wireName, String token) {
        this.wireName = wireName;
        this.token = token;
    }

    /** The name in JSON. */
    public String wireName() {
        return wireName;
    }

    /** The special token that starts the task. */
    public String token() {
        return token;
    }

    /** @throws RequestException if no task has this name */
    public static Task of(String wireName) {
        return WireNames.find(values(), Task::wireName, "task", wireName);
    }
}

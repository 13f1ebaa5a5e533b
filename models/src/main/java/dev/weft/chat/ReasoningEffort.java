package dev.weft.chat;

import dev.weft.RequestException;

/** How long to reason. What each writes depends on the {@link Revision} (specification 8.4). */
public enum ReasoningEffort {
    /** Revision 0731 only: the default there. */
    LOW("low"),
    HIGH("high"),
    MAX("max");

    private final String wireName;

    ReasoningEffort(String wireName) {
        this.wireName = wireName;
    }

    /** The name in JSON. */
    public String wireName() {
        return wireName;
    }

    /** @throws RequestException if no effort has this name */
    public static ReasoningEffort of(String wireName) {
        return WireNames.find(values(), ReasoningEffort::wireName, "reasoning_effort", wireName);
    }
}

package dev.weft.chat;

import java.util.List;

/**
 * What a prompt is made of.
 *
 * @param messages the conversation
 * @param options how to write it
 */
public record ChatRequest(List<Message> messages, PromptOptions options) {
    /** Copies the list. */
    public ChatRequest {
        messages = List.copyOf(messages);
    }
}

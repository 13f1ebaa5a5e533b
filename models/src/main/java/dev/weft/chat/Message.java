package dev.weft.chat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A message of a conversation, in the form of the chat APIs (specification 8.5). Build one with the method of its role
 * and the {@code with...} methods.
 *
 * @param role who speaks
 * @param content what; empty if nothing. Parts of a message that comes in parts are joined by an empty line
 * @param reasoning the reasoning before it, of an assistant; else empty
 * @param toolCalls what an assistant asks tools
 * @param toolCallId the call that a {@link Role#TOOL} message answers; else empty
 * @param tools tools offered by a system or developer message
 * @param responseFormat JSON object that describes the answer, of a system or developer message
 * @param task short job that this message ends with
 * @param openEnd whether an assistant's message goes on: the completion continues it (the wire name is wo_eos)
 */
public record Message(
        Role role,
        String content,
        String reasoning,
        List<ToolCall> toolCalls,
        String toolCallId,
        List<Tool> tools,
        @Nullable String responseFormat,
        @Nullable Task task,
        boolean openEnd) {
    /**
     * Copies the lists and respells the response format as the prompt shows it.
     *
     * @throws dev.weft.RequestException if the response format is no JSON object
     */
    public Message {
        toolCalls = List.copyOf(toolCalls);
        tools = List.copyOf(tools);
        responseFormat = responseFormat == null ? null : Tool.objectOf(responseFormat, "response_format");
    }

    private static Message of(Role role, String content) {
        return new Message(role, content, "", List.of(), "", List.of(), null, null, false);
    }

    /** Instructions for the whole conversation. */
    public static Message system(String content) {
        return of(Role.SYSTEM, content);
    }

    /** What the user says. */
    public static Message user(String content) {
        return of(Role.USER, content);
    }

    /** What the assistant answered. */
    public static Message assistant(String content) {
        return of(Role.ASSISTANT, content);
    }

    /** What a tool answered. */
    public static Message tool(String toolCallId, String content) {
        return new Message(Role.TOOL, content, "", List.of(), toolCallId, List.of(), null, null, false);
    }

    /** Instructions in the place of a user's message; not empty. */
    public static Message developer(String content) {
        return of(Role.DEVELOPER, content);
    }

    /** Facts of the day. */
    public static Message latestReminder(String content) {
        return of(Role.LATEST_REMINDER, content);
    }

    /** This message with the reasoning before it. */
    public Message withReasoning(String changed) {
        return new Message(role, content, changed, toolCalls, toolCallId, tools, responseFormat, task, openEnd);
    }

    /** This message with tool calls after it. */
    public Message withToolCalls(List<ToolCall> changed) {
        return new Message(role, content, reasoning, changed, toolCallId, tools, responseFormat, task, openEnd);
    }

    /** This message offering tools. */
    public Message withTools(List<Tool> changed) {
        return new Message(role, content, reasoning, toolCalls, toolCallId, changed, responseFormat, task, openEnd);
    }

    /** This message with a JSON object that describes the answer; null for none. */
    public Message withResponseFormat(@Nullable String changed) {
        return new Message(role, content, reasoning, toolCalls, toolCallId, tools, changed, task, openEnd);
    }

    /** This message ending with a task; null for none. */
    public Message withTask(@Nullable Task changed) {
        return new Message(role, content, reasoning, toolCalls, toolCallId, tools, responseFormat, changed, openEnd);
    }

    /** This message without its end: as the last of a conversation, the completion continues it. */
    public Message withOpenEnd() {
        return new Message(role, content, reasoning, toolCalls, toolCallId, tools, responseFormat, task, true);
    }
}

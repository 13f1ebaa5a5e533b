package dev.weft.chat;

/**
 * What the assistant asks a tool.
 *
 * @param id name by which a {@link Role#TOOL} message refers to this call; empty if it has none
 * @param name the tool
 * @param arguments a JSON object as text. A model may write anything, so it need not be one
 */
public record ToolCall(String id, String name, String arguments) {}

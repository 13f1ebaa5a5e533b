package dev.weft.chat;

/**
 * What a {@link StreamingCompletionParser} finds. Texts come in pieces as soon as they are certain; how the pieces are
 * cut depends on how the completion arrives, what they amount to does not.
 */
public sealed interface CompletionEvent {
    /** More reasoning; not empty. */
    record Reasoning(String text) implements CompletionEvent {}

    /** More of the answer; not empty. */
    record Content(String text) implements CompletionEvent {}

    /**
     * A tool call begins.
     *
     * @param index number of the call, from 0
     * @param name the tool
     */
    record ToolCallBegin(int index, String name) implements CompletionEvent {}

    /**
     * More of the arguments of a call. All pieces of a call joined are one JSON object, even if the completion breaks
     * off within.
     *
     * @param index number of the call
     * @param json the piece; not empty
     */
    record ToolArguments(int index, String json) implements CompletionEvent {}

    /**
     * A tool call ends.
     *
     * @param index number of the call
     * @param complete whether the model closed it; else the completion broke off or a closing tag is missing, and the
     *     arguments may not be all
     */
    record ToolCallEnd(int index, boolean complete) implements CompletionEvent {}

    /**
     * Nothing follows.
     *
     * @param complete whether the model ended the sentence; else the completion broke off
     */
    record End(boolean complete) implements CompletionEvent {}
}

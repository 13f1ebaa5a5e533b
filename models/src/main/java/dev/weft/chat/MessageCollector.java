package dev.weft.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Puts the events of a {@link StreamingCompletionParser} together to a message. */
public final class MessageCollector implements Consumer<CompletionEvent> {
    private final StringBuilder reasoning = new StringBuilder();
    private final StringBuilder content = new StringBuilder();
    private final StringBuilder arguments = new StringBuilder();
    private final List<ToolCall> calls = new ArrayList<>();
    private String name = "";
    private boolean complete;

    @Override
    public void accept(CompletionEvent event) {
        switch (event) {
            case CompletionEvent.Reasoning r -> reasoning.append(r.text());
            case CompletionEvent.Content c -> content.append(c.text());
            case CompletionEvent.ToolCallBegin b -> name = b.name();
            case CompletionEvent.ToolArguments a -> arguments.append(a.json());
            case CompletionEvent.ToolCallEnd e -> {
                calls.add(new ToolCall("", name, arguments.toString()));
                arguments.setLength(0);
            }
            case CompletionEvent.End e -> complete = e.complete();
        }
    }

    /** The message so far; a tool call is part of it once it has ended. */
    public Message message() {
        return Message.assistant(content.toString())
                .withReasoning(reasoning.toString())
                .withToolCalls(calls);
    }

    /** Whether the model ended the sentence. */
    public boolean isComplete() {
        return complete;
    }

    /** Reads a whole completion with the tolerance of the streaming parser. */
    public static Message read(CharSequence completion, ThinkingMode mode) {
        MessageCollector collector = new MessageCollector();
        StreamingCompletionParser parser = new StreamingCompletionParser(mode, collector);
        parser.accept(completion);
        parser.finish();
        return collector.message();
    }
}

package dev.weft.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Events with neighbouring pieces of text joined: what they amount to, however the completion was cut. */
final class EventLog implements Consumer<CompletionEvent> {
    private final List<String> entries = new ArrayList<>();
    private String kind = "";
    int pieces;

    /** The events of a text that arrives in the given pieces. */
    static List<String> of(ThinkingMode mode, List<String> pieces) {
        EventLog log = new EventLog();
        StreamingCompletionParser parser = new StreamingCompletionParser(mode, log);
        pieces.forEach(parser::accept);
        parser.finish();
        return log.entries();
    }

    List<String> entries() {
        return entries;
    }

    @Override
    public void accept(CompletionEvent event) {
        pieces++;
        switch (event) {
            case CompletionEvent.Reasoning r -> text("reasoning ", r.text());
            case CompletionEvent.Content c -> text("content ", c.text());
            case CompletionEvent.ToolCallBegin b -> entry("call " + b.index() + " " + b.name());
            case CompletionEvent.ToolArguments a -> text("arguments " + a.index() + " ", a.json());
            case CompletionEvent.ToolCallEnd e -> entry("endcall " + e.index() + (e.complete() ? "" : " broken"));
            case CompletionEvent.End e -> entry(e.complete() ? "end" : "end broken");
        }
    }

    private void entry(String entry) {
        kind = "";
        entries.add(entry);
    }

    private void text(String of, String piece) {
        if (piece.isEmpty()) {
            throw new AssertionError("a piece of text is empty");
        }
        if (of.equals(kind)) {
            entries.set(entries.size() - 1, entries.getLast() + piece);
        } else {
            kind = of;
            entries.add(of + piece);
        }
    }
}

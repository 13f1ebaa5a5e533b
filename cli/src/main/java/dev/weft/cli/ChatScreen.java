package dev.weft.cli;

import dev.weft.chat.CompletionEvent;
import java.util.function.Consumer;

/**
 * Shows an answer as it comes: what the model says on standard output, what it thinks on standard error, dimmed if that is
 * a terminal. Tool calls stand on lines of their own.
 */
final class ChatScreen implements Consumer<CompletionEvent> {
    private static final String DIM = "\033[2m";
    private static final String PLAIN = "\033[0m";

    private final Terminal terminal;
    private boolean thinking;
    private boolean lineOpen;

    ChatScreen(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void accept(CompletionEvent event) {
        switch (event) {
            case CompletionEvent.Reasoning r -> {
                think();
                terminal.err().print(r.text());
                terminal.err().flush();
            }
            case CompletionEvent.Content c -> say(c.text());
            case CompletionEvent.ToolCallBegin b -> say((lineOpen ? "\n" : "") + "[" + b.name() + " ");
            case CompletionEvent.ToolArguments a -> say(a.json());
            case CompletionEvent.ToolCallEnd e -> say("]");
            case CompletionEvent.End e -> {
                endThinking();
                say("\n");
            }
        }
    }

    private void think() {
        if (!thinking) {
            thinking = true;
            if (terminal.interactive()) {
                terminal.note(DIM);
            }
        }
    }

    private void endThinking() {
        if (thinking) {
            thinking = false;
            terminal.note(terminal.interactive() ? PLAIN + "%n" : "%n");
        }
    }

    private void say(String text) {
        endThinking();
        lineOpen = !text.endsWith("\n");
        terminal.stream(text);
    }
}

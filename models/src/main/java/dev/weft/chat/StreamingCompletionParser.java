package dev.weft.chat;

import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads an answer of the model while it is generated and makes the best of what is not well formed (specification 8.6).
 * Any cut of the text into pieces gives the same events, pieces of text joined; the work is linear in the length of the
 * text. For well-formed completions the result is that of {@link CompletionParser}.
 *
 * <p>What is forgiven: a missing end of reasoning, tool call, parameter or sentence; reasoning opened though the mode is
 * {@link ThinkingMode#CHAT}; other blanks than prescribed around tags; text between tags, which counts as content; values
 * that are marked as JSON and are none, which become strings; parameters given twice, of which the first counts; text
 * after the end of the sentence, which is dropped.
 *
 * <p>Not thread-safe; one parser per completion.
 */
public final class StreamingCompletionParser {
    private static final String EOS = SpecialTokens.END_OF_SENTENCE;
    private static final String CALLS_BEGIN = Dsml.OPEN + Dsml.CALLS + ">";
    private static final String CALLS_END = Dsml.CLOSE + Dsml.CALLS + ">";
    private static final String INVOKE_BEGIN = Dsml.OPEN + Dsml.INVOKE + " name=\"";
    private static final String INVOKE_END = Dsml.CLOSE + Dsml.INVOKE + ">";
    private static final String PARAMETER_BEGIN = Dsml.OPEN + Dsml.PARAMETER + " name=\"";
    private static final String PARAMETER_END = Dsml.CLOSE + Dsml.PARAMETER + ">";
    private static final String NAME_END = "\">";
    private static final String STRING_VALUE = "\" string=\"true\">";
    private static final String JSON_VALUE = "\" string=\"false\">";

    /** Up to two new lines before the calls belong to the markup. */
    private static final List<String> ANY_CALLS_BEGIN = List.of("\n\n" + CALLS_BEGIN, "\n" + CALLS_BEGIN, CALLS_BEGIN);

    private static final List<String> IN_REASONING = with(ANY_CALLS_BEGIN, SpecialTokens.END_THINK, EOS);
    private static final List<String> IN_CONTENT = with(ANY_CALLS_BEGIN, EOS);
    private static final List<String> IN_CALLS = List.of(INVOKE_BEGIN, CALLS_END, EOS);
    private static final List<String> IN_CALL_NAME = List.of(NAME_END, EOS);
    private static final List<String> IN_CALL = List.of(PARAMETER_BEGIN, INVOKE_END, INVOKE_BEGIN, CALLS_END, EOS);
    private static final List<String> IN_PARAMETER_NAME = List.of(STRING_VALUE, JSON_VALUE, NAME_END, EOS);
    private static final List<String> IN_VALUE = List.of(PARAMETER_END, EOS);

    private enum State {
        START,
        REASONING,
        CONTENT,
        CALLS,
        CALL_NAME,
        CALL,
        PARAMETER_NAME,
        VALUE,
        ENDED
    }

    private final ThinkingMode mode;
    private final Consumer<CompletionEvent> events;
    private final MarkerScanner scanner = new MarkerScanner();
    private final StringBuilder name = new StringBuilder();
    private State state = State.START;
    private boolean betweenTags;
    private boolean afterCalls;
    private int calls;
    private @Nullable ArgumentWriter arguments;

    /**
     * A parser of one completion.
     *
     * @param mode the mode of the prompt
     * @param events takes what is found, at once, in the thread that feeds the parser
     */
    public StreamingCompletionParser(ThinkingMode mode, Consumer<CompletionEvent> events) {
        this.mode = mode;
        this.events = events;
    }

    /** Reads more of the completion. */
    public void accept(CharSequence piece) {
        scanner.append(piece);
        run();
    }

    /** The completion is over. Closes what is open and reports {@link CompletionEvent.End}, if that has not happened. */
    public void finish() {
        scanner.complete();
        run();
        end(false);
    }

    private void run() {
        boolean goesOn = true;
        while (goesOn) {
            goesOn = switch (state) {
                case START -> start();
                case REASONING -> inReasoning(scanner.readUntil(IN_REASONING, this::reasoning));
                case CONTENT -> inContent(scanner.readUntil(IN_CONTENT, afterCalls ? this::stray : this::content));
                case CALLS -> inCalls(scanner.readUntil(IN_CALLS, this::stray));
                case CALL_NAME -> inCallName(scanner.readUntil(IN_CALL_NAME, name::append));
                case CALL -> inCall(scanner.readUntil(IN_CALL, this::stray));
                case PARAMETER_NAME -> inParameterName(scanner.readUntil(IN_PARAMETER_NAME, name::append));
                case VALUE -> inValue(scanner.readUntil(IN_VALUE, this::value));
                case ENDED -> scanner.readUntil(List.of(), dropped -> {}) != null;
            };
        }
    }

    private boolean start() {
        Boolean thinks = scanner.readIfNext(SpecialTokens.THINK);
        if (thinks == null) {
            return false;
        }
        return enter(thinks || mode == ThinkingMode.THINKING ? State.REASONING : State.CONTENT);
    }

    private boolean inReasoning(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case SpecialTokens.END_THINK -> enter(State.CONTENT);
            case EOS -> end(true);
            default -> enter(State.CALLS);
        };
    }

    private boolean inContent(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case EOS -> end(true);
            default -> enter(State.CALLS);
        };
    }

    private boolean inCalls(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case EOS -> end(true);
            case INVOKE_BEGIN -> enter(State.CALL_NAME);
            default -> enterAfterCalls();
        };
    }

    private boolean enterAfterCalls() {
        afterCalls = true;
        return enter(State.CONTENT);
    }

    private boolean inCallName(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case EOS -> end(true); // a call without a name is none
            default -> {
                int index = calls++;
                events.accept(new CompletionEvent.ToolCallBegin(index, name.toString()));
                arguments = new ArgumentWriter(json -> events.accept(new CompletionEvent.ToolArguments(index, json)));
                yield enter(State.CALL);
            }
        };
    }

    private boolean inCall(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case EOS -> end(true);
            case PARAMETER_BEGIN -> enter(State.PARAMETER_NAME);
            case INVOKE_END -> endCall(true, State.CALLS);
            case INVOKE_BEGIN -> endCall(false, State.CALL_NAME);
            default -> endCall(false, State.CALLS) && enterAfterCalls();
        };
    }

    private boolean inParameterName(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case EOS -> end(true);
            default -> {
                open().begin(name.toString(), !marker.equals(JSON_VALUE));
                yield enter(State.VALUE);
            }
        };
    }

    private boolean inValue(@Nullable String marker) {
        return switch (marker) {
            case null -> false;
            case EOS -> end(true);
            default -> {
                open().end();
                yield enter(State.CALL);
            }
        };
    }

    private boolean enter(State next) {
        state = next;
        betweenTags = true;
        name.setLength(0);
        return true;
    }

    private boolean endCall(boolean complete, State next) {
        if (arguments != null) {
            arguments.close();
            arguments = null;
            events.accept(new CompletionEvent.ToolCallEnd(calls - 1, complete));
        }
        return enter(next);
    }

    private boolean end(boolean complete) {
        if (state != State.ENDED) {
            endCall(false, State.ENDED);
            events.accept(new CompletionEvent.End(complete));
        }
        return true;
    }

    private ArgumentWriter open() {
        if (arguments == null) {
            throw new IllegalStateException("parameters occur within calls only");
        }
        return arguments;
    }

    private void reasoning(String text) {
        events.accept(new CompletionEvent.Reasoning(text));
    }

    private void content(String text) {
        events.accept(new CompletionEvent.Content(text));
    }

    private void value(String text) {
        open().append(text);
    }

    /** Blanks after a tag belong to the markup; other text should not be there, but is not lost. */
    private void stray(String text) {
        String kept = betweenTags ? text.stripLeading() : text;
        if (!kept.isEmpty()) {
            betweenTags = false;
            content(kept);
        }
    }

    private static List<String> with(List<String> some, String... more) {
        return Stream.concat(some.stream(), Stream.of(more)).toList();
    }
}

package dev.weft.chat;

import dev.weft.io.support.StrictJson;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a complete answer of the model, end of sentence included, and refuses what is not well formed (specification
 * 8.6). For text that arrives piece by piece, or from a model that errs, there is {@link StreamingCompletionParser}. The
 * time is linear in the length of the text.
 */
public final class CompletionParser {
    private static final String CALLS_BEGIN = "\n\n" + Dsml.OPEN + Dsml.CALLS;
    private static final String CALLS_END = Dsml.CLOSE + Dsml.CALLS + ">";
    private static final String INVOKE_BEGIN = Dsml.OPEN + Dsml.INVOKE;
    private static final String INVOKE_END = Dsml.CLOSE + Dsml.INVOKE;
    private static final String PARAMETER_BEGIN = Dsml.OPEN + Dsml.PARAMETER;
    /** The bracket before it belongs to what the value is checked for. */
    private static final String PARAMETER_END = "/" + SpecialTokens.DSML + Dsml.PARAMETER;

    private static final String TAG_END = ">\n";
    private static final String NAME = " name=\"";
    private static final String NAME_END = "\">\n";
    private static final String STRING_VALUE = "\" string=\"true\">";
    private static final String JSON_VALUE = "\" string=\"false\">";
    private static final List<String> FORBIDDEN = List.of(
            SpecialTokens.BEGIN_OF_SENTENCE,
            SpecialTokens.END_OF_SENTENCE,
            SpecialTokens.THINK,
            SpecialTokens.END_THINK,
            SpecialTokens.DSML);

    private final String text;
    private int position;

    private CompletionParser(String text) {
        this.text = text;
    }

    /**
     * The message of the assistant. Arguments of tool calls are JSON objects as text; values that the model marked as
     * JSON are taken over as they are, so the text is JSON if they are.
     *
     * @param text the completion, with the end-of-sentence token
     * @param mode the mode of the prompt
     * @throws CompletionFormatException if the text is not in the form the mode demands
     */
    public static Message parse(String text, ThinkingMode mode) {
        return new CompletionParser(text).message(mode);
    }

    private Message message(ThinkingMode mode) {
        String reasoning = "";
        if (mode == ThinkingMode.THINKING) {
            int start = position;
            reasoning = readUntil(SpecialTokens.END_THINK, CALLS_BEGIN);
            expectStop(SpecialTokens.END_THINK, start, "the reasoning that begins here is not closed by </think>");
        }
        int start = position;
        String content = readUntil(SpecialTokens.END_OF_SENTENCE, CALLS_BEGIN);
        List<ToolCall> calls = new ArrayList<>();
        if (CALLS_BEGIN.equals(stop)) {
            readCalls(calls);
            if (!text.substring(position).isEmpty() && !text.startsWith(SpecialTokens.END_OF_SENTENCE, position)) {
                throw wrong(position, "found text after the tool calls, expected the end of the sentence");
            }
            position = Math.min(text.length(), position + SpecialTokens.END_OF_SENTENCE.length());
        } else {
            expectStop(SpecialTokens.END_OF_SENTENCE, start, "the content that begins here has no end of sentence");
        }
        if (position != text.length()) {
            throw wrong(position, "found text after the end of the sentence, expected none");
        }
        refuseTokens(reasoning, "reasoning");
        refuseTokens(content, "content");
        return Message.assistant(content).withReasoning(reasoning).withToolCalls(calls);
    }

    private void readCalls(List<ToolCall> calls) {
        while (true) {
            expectTagEnd(INVOKE_BEGIN, CALLS_END);
            if (CALLS_END.equals(stop)) {
                return;
            }
            calls.add(readCall());
        }
    }

    private ToolCall readCall() {
        int start = position;
        String header = readUntil(PARAMETER_BEGIN, INVOKE_END);
        boolean empty = INVOKE_END.equals(stop);
        // a call without parameters has an empty line in their place
        String end = empty && header.endsWith(NAME_END + "\n") ? NAME_END + "\n" : NAME_END;
        if (stop == null
                || !header.startsWith(NAME)
                || header.length() < NAME.length() + end.length()
                || !header.endsWith(end)) {
            throw wrong(start, "found '" + shortened(header) + "', expected ' name=\"...\">' and a new line");
        }
        String name = header.substring(NAME.length(), header.length() - end.length());
        Map<String, String> arguments = new LinkedHashMap<>();
        while (PARAMETER_BEGIN.equals(stop)) {
            readParameter(arguments);
            expectTagEnd(PARAMETER_BEGIN, INVOKE_END);
        }
        StringBuilder json = new StringBuilder("{");
        arguments.forEach((key, value) -> json.append(json.length() == 1 ? "" : ", ")
                .append(PythonJson.quote(key))
                .append(": ")
                .append(value));
        return new ToolCall("", name, json.append('}').toString());
    }

    private void readParameter(Map<String, String> arguments) {
        int start = position;
        String parameter = readUntil(PARAMETER_END);
        int asString = parameter.indexOf(STRING_VALUE);
        int asJson = parameter.indexOf(JSON_VALUE);
        boolean string = asString >= 0 && (asJson < 0 || asString < asJson);
        int nameEnd = string ? asString : asJson;
        if (stop == null || nameEnd < NAME.length() || !parameter.startsWith(NAME) || !parameter.endsWith("<")) {
            throw wrong(
                    start,
                    "found '" + shortened(parameter) + "', expected ' name=\"...\" string=\"true|false\">VALUE<"
                            + PARAMETER_END + "'");
        }
        String name = parameter.substring(NAME.length(), nameEnd);
        int valueStart = nameEnd + (string ? STRING_VALUE : JSON_VALUE).length();
        if (valueStart > parameter.length() - 1) {
            throw wrong(start, "found '" + shortened(parameter) + "', expected a value");
        }
        String value = parameter.substring(valueStart, parameter.length() - 1);
        if (arguments.putIfAbsent(name, string ? PythonJson.quote(value) : value) != null) {
            throw wrong(start, "found parameter '" + shortened(name) + "' twice");
        }
    }

    /** Between tags there is nothing but the end of the one before and a new line. */
    private void expectTagEnd(String... next) {
        int start = position;
        String between = readUntil(next);
        if (stop == null || !between.equals(TAG_END)) {
            throw wrong(
                    start, "found '" + shortened(between) + "', expected '>', a new line and one of " + List.of(next));
        }
    }

    private void expectStop(String expected, int start, String complaint) {
        if (!expected.equals(stop)) {
            throw wrong(start, complaint);
        }
    }

    /** Which marker the last {@link #readUntil} found, null if the text ended before. */
    private @Nullable String stop;

    /** The text up to the first of the markers, which is read too. One pass, so that hostile text costs no more. */
    private String readUntil(String... markers) {
        int start = position;
        for (int i = start; i < text.length(); i++) {
            for (String marker : markers) {
                if (text.startsWith(marker, i)) {
                    stop = marker;
                    position = i + marker.length();
                    return text.substring(start, i);
                }
            }
        }
        stop = null;
        position = text.length();
        return text.substring(start);
    }

    private static void refuseTokens(String part, String name) {
        for (String token : FORBIDDEN) {
            int at = part.indexOf(token);
            if (at >= 0) {
                throw wrong(at, "found token '" + token + "' within the " + name);
            }
        }
    }

    private static CompletionFormatException wrong(int position, String message) {
        return new CompletionFormatException(position, message);
    }

    private static String shortened(String found) {
        return StrictJson.shortened(found);
    }
}

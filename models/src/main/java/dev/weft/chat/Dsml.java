package dev.weft.chat;

import dev.weft.RequestException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/** The markup of tool calls (specification 8.5). It has no escapes: what is written is what was said. */
final class Dsml {
    static final String CALLS = "tool_calls";
    static final String INVOKE = "invoke";
    static final String PARAMETER = "parameter";
    static final String OPEN = "<" + SpecialTokens.DSML;
    static final String CLOSE = "</" + SpecialTokens.DSML;

    /** Key of arguments that are not JSON. */
    private static final String ARGUMENTS = "arguments";

    private Dsml() {}

    /** Writes the calls behind the content of an answer. @throws RequestException if arguments are no JSON object */
    static void write(List<ToolCall> calls, Prompt.Builder prompt) {
        open(CALLS, prompt.text("\n\n")).text(">\n");
        for (ToolCall call : calls) {
            open(INVOKE, prompt).text(" name=\"" + call.name() + "\">\n");
            String separator = "";
            for (Map.Entry<String, JsonNode> argument : arguments(call).properties()) {
                JsonNode value = argument.getValue();
                open(PARAMETER, prompt.text(separator))
                        .text(" name=\"" + argument.getKey() + "\" string=\"" + value.isString() + "\">")
                        .text(value.isString() ? value.stringValue() : PythonJson.write(value));
                close(PARAMETER, prompt);
                separator = "\n";
            }
            close(INVOKE, prompt.text("\n")).text("\n");
        }
        close(CALLS, prompt);
    }

    private static Prompt.Builder open(String tag, Prompt.Builder prompt) {
        return prompt.text("<").token(SpecialTokens.DSML).text(tag);
    }

    private static Prompt.Builder close(String tag, Prompt.Builder prompt) {
        return prompt.text("</").token(SpecialTokens.DSML).text(tag + ">");
    }

    private static JsonNode arguments(ToolCall call) {
        String subject = "tool call " + call.name() + ": arguments";
        Optional<JsonNode> parsed = PythonJson.tryParse(call.arguments(), subject);
        if (parsed.isEmpty()) {
            return PythonJson.object(ARGUMENTS, call.arguments());
        }
        if (!parsed.get().isObject()) {
            throw new RequestException(
                    subject + ": found " + PythonJson.kind(parsed.get()) + ", expected a JSON object as text");
        }
        return parsed.get();
    }
}

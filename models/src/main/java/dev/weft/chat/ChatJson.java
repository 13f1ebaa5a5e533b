package dev.weft.chat;

import dev.weft.RequestException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Messages in the JSON of the chat APIs (specification 8.5). Keys of messages that the prompt does not depend on are
 * passed over, as the checkpoint's encoder does; an unknown option is an error, for it would change nothing unnoticed.
 */
public final class ChatJson {
    private static final Set<String> OPTIONS =
            Set.of("thinking_mode", "reasoning_effort", "drop_thinking", "add_default_bos_token");
    private static final String PART_SEPARATOR = "\n\n";

    private ChatJson() {}

    /**
     * Reads {@code {"messages": [...], "options": {...}}}. Options are {@code thinking_mode} (chat or thinking; required)
     * and, all optional, {@code reasoning_effort}, {@code drop_thinking}, {@code add_default_bos_token}.
     *
     * @throws RequestException if the text is not of this form; the message names the place
     */
    public static ChatRequest readRequest(String json) {
        JsonNode root = PythonJson.parse(json, "request");
        expect(root.isObject(), "request", root, "an object");
        return new ChatRequest(messages(root.path("messages")), options(root.path("options")));
    }

    /** Reads an array of messages. @throws RequestException if the text is not one; the message names the place */
    public static List<Message> readMessages(String json) {
        return messages(PythonJson.parse(json, "messages"));
    }

    /**
     * Reads an array of tools, each {@code {"type": "function", "function": {...}}}.
     *
     * @throws RequestException if the text is not one; the message names the place
     */
    public static List<Tool> readTools(String json) {
        return tools(PythonJson.parse(json, "tools"), "tools");
    }

    /** The message of an assistant as one line of JSON: role, content, reasoning_content, tool_calls. */
    public static String write(Message message) {
        return "{\"role\": " + PythonJson.quote(message.role().wireName()) + ", \"content\": "
                + PythonJson.quote(message.content()) + ", \"reasoning_content\": "
                + PythonJson.quote(message.reasoning()) + ", \"tool_calls\": "
                + list(message.toolCalls(), ChatJson::write) + "}";
    }

    /** A request as {@link #readRequest} reads it, on one line. */
    public static String write(ChatRequest request) {
        PromptOptions options = request.options();
        StringBuilder json = new StringBuilder("{\"messages\": ")
                .append(list(request.messages(), ChatJson::writeAll))
                .append(", \"options\": {\"thinking_mode\": ")
                .append(PythonJson.quote(options.mode().wireName()));
        if (options.effort() != null) {
            json.append(", \"reasoning_effort\": ")
                    .append(PythonJson.quote(options.effort().wireName()));
        }
        return json.append(", \"drop_thinking\": ")
                .append(options.dropThinking())
                .append(", \"add_default_bos_token\": ")
                .append(options.beginOfSentence())
                .append("}}")
                .toString();
    }

    /** A message with all that it has and nothing that it has not. */
    private static String writeAll(Message m) {
        StringBuilder json = new StringBuilder("{\"role\": ")
                .append(PythonJson.quote(m.role().wireName()));
        append(json, "content", PythonJson.quote(m.content()), true);
        append(
                json,
                "reasoning_content",
                PythonJson.quote(m.reasoning()),
                !m.reasoning().isEmpty());
        append(
                json,
                "tool_calls",
                list(m.toolCalls(), ChatJson::write),
                !m.toolCalls().isEmpty());
        append(
                json,
                "tool_call_id",
                PythonJson.quote(m.toolCallId()),
                !m.toolCallId().isEmpty());
        append(json, "tools", list(m.tools(), ChatJson::write), !m.tools().isEmpty());
        append(json, "response_format", String.valueOf(m.responseFormat()), m.responseFormat() != null);
        append(json, "task", m.task() == null ? "" : PythonJson.quote(m.task().wireName()), m.task() != null);
        append(json, "wo_eos", "true", m.openEnd());
        return json.append('}').toString();
    }

    private static void append(StringBuilder json, String key, String value, boolean present) {
        if (present) {
            json.append(", ").append(PythonJson.quote(key)).append(": ").append(value);
        }
    }

    private static String write(ToolCall call) {
        String id = call.id().isEmpty() ? "" : "\"id\": " + PythonJson.quote(call.id()) + ", ";
        return "{" + id + "\"type\": \"function\", \"function\": {\"name\": " + PythonJson.quote(call.name())
                + ", \"arguments\": " + PythonJson.quote(call.arguments()) + "}}";
    }

    private static String write(Tool tool) {
        return "{\"type\": \"function\", \"function\": " + tool.function() + "}";
    }

    private static <T> String list(List<T> elements, Function<T, String> writer) {
        return elements.stream().map(writer).collect(Collectors.joining(", ", "[", "]"));
    }

    private static List<Message> messages(JsonNode array) {
        return list(array, "messages", ChatJson::message);
    }

    private static Message message(JsonNode node, String subject) {
        expect(node.isObject(), subject, node, "an object");
        JsonNode role = node.path("role");
        expect(role.isString(), subject + ".role", role, "a string");
        Role speaker = named(() -> Role.of(role.stringValue()), subject);
        boolean inParts = speaker == Role.USER || speaker == Role.TOOL;
        String content = inParts && node.path("content").isArray()
                ? joined(node.path("content"), subject + ".content")
                : string(node, "content", subject);
        String task = string(node, "task", subject);
        return new Message(
                speaker,
                content,
                string(node, "reasoning_content", subject),
                isAbsent(node.path("tool_calls"))
                        ? List.of()
                        : list(node.path("tool_calls"), subject + ".tool_calls", ChatJson::toolCall),
                string(node, "tool_call_id", subject),
                isAbsent(node.path("tools")) ? List.of() : tools(node.path("tools"), subject + ".tools"),
                responseFormat(node.path("response_format"), subject),
                task.isEmpty() ? null : named(() -> Task.of(task), subject),
                flag(node, "wo_eos", false, subject));
    }

    /** An empty one counts as none. */
    private static @Nullable String responseFormat(JsonNode format, String subject) {
        if (isAbsent(format)) {
            return null;
        }
        expect(format.isObject(), subject + ".response_format", format, "an object");
        return format.isEmpty() ? null : PythonJson.write(format);
    }

    private static String joined(JsonNode parts, String subject) {
        return String.join(PART_SEPARATOR, list(parts, subject, (part, place) -> {
            expect(part.isObject(), place, part, "an object");
            String type = string(part, "type", place);
            return type.equals("text") ? string(part, "text", place) : "[Unsupported " + type + "]";
        }));
    }

    private static ToolCall toolCall(JsonNode node, String subject) {
        expect(node.isObject(), subject, node, "an object");
        JsonNode function = node.path("function");
        expect(function.isObject(), subject + ".function", function, "an object");
        for (String key : List.of("name", "arguments")) {
            expect(function.path(key).isString(), subject + ".function." + key, function.path(key), "a string");
        }
        return new ToolCall(
                string(node, "id", subject),
                function.path("name").stringValue(),
                function.path("arguments").stringValue());
    }

    private static List<Tool> tools(JsonNode array, String subject) {
        return list(array, subject, (tool, place) -> {
            JsonNode function = tool.path("function");
            expect(function.isObject(), place + ".function", function, "an object");
            return new Tool(PythonJson.write(function));
        });
    }

    private static PromptOptions options(JsonNode node) {
        expect(node.isObject(), "options", node, "an object");
        Set<String> unknown = new HashSet<>(node.propertyNames());
        unknown.removeAll(OPTIONS);
        if (!unknown.isEmpty()) {
            throw new RequestException(
                    "options: found " + unknown.stream().sorted().toList() + ", expected some of "
                            + OPTIONS.stream().sorted().toList());
        }
        JsonNode mode = node.path("thinking_mode");
        expect(mode.isString(), "options.thinking_mode", mode, "chat or thinking");
        String effort = string(node, "reasoning_effort", "options");
        return new PromptOptions(
                ThinkingMode.of(mode.stringValue()),
                effort.isEmpty() ? null : ReasoningEffort.of(effort),
                flag(node, "drop_thinking", true, "options"),
                flag(node, "add_default_bos_token", true, "options"));
    }

    /** Reads an element; the subject names its place. */
    @FunctionalInterface
    private interface Reader<T> {
        T read(JsonNode node, String subject);
    }

    private static <T> List<T> list(JsonNode array, String subject, Reader<T> reader) {
        expect(array.isArray(), subject, array, "an array");
        List<T> read = new ArrayList<>(array.size());
        for (int i = 0; i < array.size(); i++) {
            read.add(reader.read(array.get(i), subject + "[" + i + "]"));
        }
        return read;
    }

    /** A string; empty if it is absent or null. */
    private static String string(JsonNode object, String key, String subject) {
        JsonNode value = object.path(key);
        expect(isAbsent(value) || value.isString(), subject + "." + key, value, "a string");
        return isAbsent(value) ? "" : value.stringValue();
    }

    private static boolean flag(JsonNode object, String key, boolean ifAbsent, String subject) {
        JsonNode value = object.path(key);
        expect(isAbsent(value) || value.isBoolean(), subject + "." + key, value, "true or false");
        return isAbsent(value) ? ifAbsent : value.booleanValue();
    }

    private static boolean isAbsent(JsonNode node) {
        return node.isMissingNode() || node.isNull();
    }

    private static void expect(boolean holds, String subject, JsonNode found, String expected) {
        if (!holds) {
            throw new RequestException(subject + ": found " + PythonJson.kind(found) + ", expected " + expected);
        }
    }

    /** Puts the place before what a look-up says. */
    private static <T> T named(Supplier<T> lookUp, String subject) {
        try {
            return lookUp.get();
        } catch (RequestException e) {
            throw new RequestException(subject + ": " + e.getMessage(), e);
        }
    }
}

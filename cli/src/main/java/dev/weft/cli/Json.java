package dev.weft.cli;

import dev.weft.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** JSON in and out. */
final class Json {
    private static final JsonMapper MAPPER = new JsonMapper();

    /** For lines of text, which may be as long as a context. */
    private static final JsonMapper LINES = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength(Integer.MAX_VALUE)
                            .maxNameLength(Integer.MAX_VALUE)
                            .maxNumberLength(Integer.MAX_VALUE)
                            .build())
                    .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private Json() {}

    /** An empty object. */
    static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /** Prints a value, indented. */
    static void print(Terminal terminal, JsonNode value) {
        terminal.out().println(MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value));
    }

    /** A JSON text as numbers, strings, booleans, lists and maps. @throws JacksonException if it is none */
    static Object plain(String text) {
        return MAPPER.readValue(text, Object.class);
    }

    /** What is wrong, without the parser's remarks on its source and its list of all that JSON can be. */
    private static String reason(JacksonException e) {
        return e.getOriginalMessage().replaceFirst("(?s)(: was expecting)? \\(.*", "");
    }

    /** A line as one JSON value. @throws RequestException if it is none */
    static JsonNode line(String text) {
        try {
            return LINES.readTree(text);
        } catch (JacksonException e) {
            throw new RequestException("line: found broken JSON: " + reason(e), e);
        }
    }

    /**
     * Reads a file with a JSON array of token ids.
     *
     * @throws UsageException if it is absent or holds anything but one or more integers
     */
    static int[] readIds(Path file) throws IOException {
        JsonNode root;
        try {
            root = MAPPER.readTree(Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            throw new UsageException(file + ": no such file; expected a JSON array of token ids", e);
        } catch (JacksonException e) {
            throw new UsageException(file + ": not JSON: " + reason(e), e);
        }
        if (!root.isArray() || root.isEmpty()) {
            throw new UsageException(file + ": found " + (root.isArray() ? "an empty array" : "no array")
                    + ", expected a JSON array of one or more token ids, as in [0, 17, 4]");
        }
        int[] ids = new int[root.size()];
        for (int i = 0; i < ids.length; i++) {
            JsonNode element = root.get(i);
            if (!element.isIntegralNumber() || !element.canConvertToInt()) {
                throw new UsageException(file + ": element " + i + ": found " + element + ", expected a token id");
            }
            ids[i] = element.intValue();
        }
        return ids;
    }
}

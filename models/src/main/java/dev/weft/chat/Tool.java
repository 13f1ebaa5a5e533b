package dev.weft.chat;

import dev.weft.RequestException;
import tools.jackson.databind.JsonNode;

/**
 * A tool that the model may call.
 *
 * @param function its definition as the prompt shows it: a JSON object with {@code name}, {@code description} and
 *     {@code parameters} (a JSON schema), in the spelling of Python's {@code json.dumps} without ASCII escapes
 */
public record Tool(String function) {
    /**
     * Respells the definition.
     *
     * @throws RequestException if it is no JSON object
     */
    public Tool {
        function = objectOf(function, "tool");
    }

    /** Any JSON object in the spelling of the format. */
    static String objectOf(String json, String subject) {
        JsonNode node = PythonJson.parse(json, subject);
        if (!node.isObject()) {
            throw new RequestException(subject + ": found " + PythonJson.kind(node) + ", expected a JSON object");
        }
        return PythonJson.write(node);
    }
}

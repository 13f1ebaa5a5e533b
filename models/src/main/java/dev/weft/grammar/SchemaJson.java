package dev.weft.grammar;

import dev.weft.io.support.StrictJson;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;

/** The JSON of schemas: strict, without rounding, nested at most 64 deep. */
final class SchemaJson {
    static final JsonNode TRUE = JsonNodeFactory.instance.booleanNode(true);
    static final JsonNode FALSE = JsonNodeFactory.instance.booleanNode(false);

    private static final int DEEPEST = 64;
    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEEPEST)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();

    private SchemaJson() {}

    /** @throws SchemaException if the text is not one JSON value */
    static JsonNode parse(String schema) {
        try {
            JsonNode root = MAPPER.readTree(schema);
            if (root.isMissingNode()) {
                throw new SchemaException("schema: found nothing, expected a JSON object, true or false");
            }
            return root;
        } catch (JacksonException e) {
            String where = e.getLocation() == null || e.getLocation().getCharOffset() < 0
                    ? ""
                    : " at character " + e.getLocation().getCharOffset();
            throw new SchemaException(
                    "schema: found broken JSON" + where + ": " + StrictJson.shortened(e.getOriginalMessage()), e);
        }
    }

    /** A value without spaces, every string in its one spelling. */
    static String write(JsonNode value, String place) {
        StringBuilder json = new StringBuilder();
        write(value, place, json);
        return json.toString();
    }

    private static void write(JsonNode value, String place, StringBuilder json) {
        if (value.isObject()) {
            String separator = "{";
            for (Map.Entry<String, JsonNode> property : value.properties()) {
                json.append(separator)
                        .append(JsonStrings.quote(property.getKey(), place))
                        .append(':');
                write(property.getValue(), place, json);
                separator = ",";
            }
            json.append(value.isEmpty() ? "{}" : "}");
        } else if (value.isArray()) {
            String separator = "[";
            for (JsonNode element : value) {
                json.append(separator);
                write(element, place, json);
                separator = ",";
            }
            json.append(value.isEmpty() ? "[]" : "]");
        } else if (value.isString()) {
            json.append(JsonStrings.quote(value.stringValue(), place));
        } else {
            json.append(value);
        }
    }

    /** Whether a value is of a type in the sense of JSON Schema. */
    static boolean isOfType(JsonNode value, String type) {
        return switch (type) {
            case "object" -> value.isObject();
            case "array" -> value.isArray();
            case "string" -> value.isString();
            case "number" -> value.isNumber();
            case "integer" ->
                value.isNumber() && value.decimalValue().stripTrailingZeros().scale() <= 0;
            case "boolean" -> value.isBoolean();
            default -> value.isNull();
        };
    }

    /** What a value is, for messages. */
    static String kind(JsonNode node) {
        return switch (node.getNodeType()) {
            case OBJECT -> "an object";
            case ARRAY -> "an array of " + node.size();
            case STRING -> quoted(node.stringValue());
            case MISSING -> "nothing";
            default -> shortened(node.toString());
        };
    }

    static String quoted(String text) {
        return "'" + shortened(text) + "'";
    }

    static String shortened(String text) {
        return StrictJson.shortened(text);
    }

    /** A name as a step of a JSON pointer. */
    static String step(String name) {
        return name.replace("~", "~0").replace("/", "~1");
    }
}

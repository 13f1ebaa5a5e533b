package dev.weft.grammar;

import java.math.BigDecimal;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/** Checks values against schemas, keyword by keyword as JSON Schema defines them, and knows nothing of grammars. */
final class SchemaValidator {
    private static final Set<String> IGNORED = Set.of("$defs", "title", "description", "format");

    private final JsonNode root;

    SchemaValidator(JsonNode root) {
        this.root = root;
    }

    boolean accepts(JsonNode value) {
        return accepts(root, value);
    }

    private boolean accepts(JsonNode schema, JsonNode value) {
        if (schema.isBoolean()) {
            return schema.booleanValue();
        }
        return schema.propertyNames().stream().allMatch(keyword -> holds(keyword, schema, value));
    }

    private boolean holds(String keyword, JsonNode schema, JsonNode value) {
        JsonNode is = schema.get(keyword);
        if (IGNORED.contains(keyword)) {
            return true;
        }
        return switch (keyword) {
            case "$ref" -> accepts(root.at(is.stringValue().substring(1)), value);
            case "type" ->
                is.isArray()
                        ? is.values().stream().anyMatch(t -> isType(t.stringValue(), value))
                        : isType(is.stringValue(), value);
            case "const" -> is.equals(value);
            case "enum" -> is.values().stream().anyMatch(value::equals);
            case "anyOf" -> is.values().stream().anyMatch(s -> accepts(s, value));
            case "allOf" -> is.values().stream().allMatch(s -> accepts(s, value));
            case "oneOf" -> is.values().stream().filter(s -> accepts(s, value)).count() == 1;
            case "properties" ->
                !value.isObject()
                        || is.properties().stream()
                                .allMatch(p -> !value.has(p.getKey()) || accepts(p.getValue(), value.get(p.getKey())));
            case "required" ->
                !value.isObject() || is.values().stream().allMatch(name -> value.has(name.stringValue()));
            case "additionalProperties" ->
                !value.isObject()
                        || value.properties().stream()
                                .allMatch(p -> schema.path("properties").has(p.getKey()) || accepts(is, p.getValue()));
            case "prefixItems" -> !value.isArray() || eachOf(List.copyOf(is.values()), value);
            case "items" ->
                !value.isArray()
                        || value.values().stream()
                                .skip(schema.path("prefixItems").size())
                                .allMatch(v -> accepts(is, v));
            case "minItems" -> !value.isArray() || value.size() >= is.intValue();
            case "maxItems" -> !value.isArray() || value.size() <= is.intValue();
            case "minLength" -> !value.isString() || length(value) >= is.intValue();
            case "maxLength" -> !value.isString() || length(value) <= is.intValue();
            case "pattern" ->
                !value.isString()
                        || Pattern.compile(is.stringValue())
                                .matcher(value.stringValue())
                                .find();
            case "minimum" -> !value.isNumber() || compare(value, is) >= 0;
            case "maximum" -> !value.isNumber() || compare(value, is) <= 0;
            case "exclusiveMinimum" -> !value.isNumber() || compare(value, is) > 0;
            case "exclusiveMaximum" -> !value.isNumber() || compare(value, is) < 0;
            default -> throw new IllegalArgumentException(keyword);
        };
    }

    private boolean eachOf(List<JsonNode> schemas, JsonNode value) {
        for (int i = 0; i < Math.min(schemas.size(), value.size()); i++) {
            if (!accepts(schemas.get(i), value.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static int length(JsonNode value) {
        String text = value.stringValue();
        return text.codePointCount(0, text.length());
    }

    private static int compare(JsonNode value, JsonNode bound) {
        return value.decimalValue().compareTo(bound.decimalValue());
    }

    private static boolean isType(String type, JsonNode value) {
        return switch (type) {
            case "object" -> value.isObject();
            case "array" -> value.isArray();
            case "string" -> value.isString();
            case "number" -> value.isNumber();
            case "integer" ->
                value.isNumber()
                        && value.decimalValue().remainder(BigDecimal.ONE).signum() == 0;
            case "boolean" -> value.isBoolean();
            case "null" -> value.isNull();
            default -> throw new IllegalArgumentException(type);
        };
    }
}

package dev.weft.chat;

import dev.weft.RequestException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON as Python reads and writes it: the format's texts were made by {@code json.dumps(ensure_ascii=False)}, so a prompt
 * must be spelled like that to the byte (specification 8.5). Separators are {@code ", "} and {@code ": "}, keys keep
 * their order, of equal keys the last value counts, floating-point numbers are spelled as {@code repr} does, NaN and
 * Infinity are words.
 */
final class PythonJson {
    private static final int MAX_NESTING = 500;

    /** Python refuses longer integers. */
    private static final int MAX_DIGITS = 4300;

    private static final int MAX_STRING = 1 << 27;
    private static final int LOWEST_FIXED_EXPONENT = -4;
    private static final int HIGHEST_FIXED_EXPONENT = 15;

    private static final JsonMapper MAPPER = mapper(true);

    /** Without the words NaN and Infinity. */
    private static final JsonMapper STANDARD = mapper(false);

    private PythonJson() {}

    private static JsonMapper mapper(boolean words) {
        JsonFactory factory = JsonFactory.builder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_NESTING)
                        .maxNumberLength(MAX_DIGITS)
                        .maxNameLength(MAX_STRING)
                        .maxStringLength(MAX_STRING)
                        .build())
                .configure(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS, words)
                .build();
        return JsonMapper.builder(factory)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .build();
    }

    /** @throws RequestException if the text is not one JSON value */
    static JsonNode parse(String text, String subject) {
        try {
            JsonNode node = MAPPER.readTree(text);
            if (node.isMissingNode()) {
                throw new RequestException(subject + ": found nothing, expected a JSON value");
            }
            return node;
        } catch (JacksonException e) {
            throw new RequestException(subject + ": found broken JSON" + place(e) + ": " + reason(e), e);
        }
    }

    private static String place(JacksonException e) {
        return e.getLocation() == null || e.getLocation().getCharOffset() < 0
                ? ""
                : " at character " + e.getLocation().getCharOffset();
    }

    private static String reason(JacksonException e) {
        String message = e.getOriginalMessage();
        return message.length() <= 200 ? message : message.substring(0, 200) + "...";
    }

    /**
     * The value, or nothing if the text is not JSON.
     *
     * @throws RequestException if it cannot be told because it is nested too deeply or a number is too long
     */
    static Optional<JsonNode> tryParse(String text, String subject) {
        try {
            JsonNode node = MAPPER.readTree(text);
            return node.isMissingNode() ? Optional.empty() : Optional.of(node);
        } catch (StreamConstraintsException e) {
            throw new RequestException(subject + ": " + reason(e), e);
        } catch (JacksonException e) {
            return Optional.empty();
        }
    }

    /** Whether the text is one JSON value by the standard, within the limits. */
    static boolean isValue(String text) {
        try {
            return !STANDARD.readTree(text).isMissingNode();
        } catch (JacksonException e) {
            return false;
        }
    }

    /** An object with one string. */
    static JsonNode object(String key, String value) {
        return MAPPER.createObjectNode().put(key, value);
    }

    /** What a value is, for messages. */
    static String kind(JsonNode node) {
        return switch (node.getNodeType()) {
            case OBJECT -> "an object";
            case ARRAY -> "an array";
            case STRING -> "a string";
            case NUMBER -> "a number";
            case BOOLEAN -> "a boolean";
            case NULL -> "null";
            default -> "nothing";
        };
    }

    static String write(JsonNode node) {
        StringBuilder out = new StringBuilder();
        write(node, out);
        return out.toString();
    }

    private static void write(JsonNode node, StringBuilder out) {
        if (node.isObject()) {
            String separator = "{";
            for (Map.Entry<String, JsonNode> property : node.properties()) {
                out.append(separator);
                quote(property.getKey(), out);
                out.append(": ");
                write(property.getValue(), out);
                separator = ", ";
            }
            out.append(node.isEmpty() ? "{}" : "}");
        } else if (node.isArray()) {
            String separator = "[";
            for (JsonNode element : node) {
                out.append(separator);
                write(element, out);
                separator = ", ";
            }
            out.append(node.isEmpty() ? "[]" : "]");
        } else if (node.isString()) {
            quote(node.stringValue(), out);
        } else if (node.isIntegralNumber()) {
            out.append(node.bigIntegerValue());
        } else if (node.isNumber()) {
            out.append(number(node.doubleValue()));
        } else {
            out.append(node.isNull() ? "null" : node.booleanValue());
        }
    }

    static String quote(String text) {
        StringBuilder out = new StringBuilder(text.length() + 2);
        quote(text, out);
        return out.toString();
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        escape(text, out);
        out.append('"');
    }

    /** The inside of a string. Escaping piece by piece gives the same as escaping the whole. */
    static void escape(CharSequence text, StringBuilder out) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ') {
                        out.append("\\u00")
                                .append(Character.forDigit(c >> 4, 16))
                                .append(Character.forDigit(c & 15, 16));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
    }

    /** The shortest decimal that reads back as {@code value}, with an exponent where Python writes one. */
    static String number(double value) {
        if (Double.isNaN(value)) {
            return "NaN";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "Infinity" : "-Infinity";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal shortest = shortest(value);
        String digits = shortest.unscaledValue().abs().toString();
        int exponent = digits.length() - 1 - shortest.scale();
        String sign = value < 0 ? "-" : "";
        if (exponent >= LOWEST_FIXED_EXPONENT && exponent <= HIGHEST_FIXED_EXPONENT) {
            String plain = shortest.abs().toPlainString();
            return sign + plain + (plain.indexOf('.') < 0 ? ".0" : "");
        }
        String fraction = digits.length() == 1 ? "" : "." + digits.substring(1);
        String padding = Math.abs(exponent) < 10 ? "0" : "";
        return sign + digits.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+") + padding + Math.abs(exponent);
    }

    /** Java always writes two digits and so misses some one-digit numbers, such as the smallest one, 5e-324. */
    private static BigDecimal shortest(double value) {
        BigDecimal shortest = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        BigDecimal oneDigit = shortest.round(new MathContext(1, RoundingMode.HALF_EVEN));
        return oneDigit.doubleValue() == value ? oneDigit.stripTrailingZeros() : shortest;
    }
}

package dev.weft.io.support;

import dev.weft.CheckpointException;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** JSON of model files: strict UTF-8, bounded nesting, nothing after the document. */
public final class StrictJson {
    private static final int MAX_NESTING = 64;
    private static final int MAX_NAME = 1 << 16;
    private static final int MAX_STRING = 1 << 26;

    /** Names are not cached: a checkpoint has 140 000 that occur once. */
    private static final JsonFactory STREAM = JsonFactory.builder()
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .streamReadConstraints(constraints())
            .build();

    /** NaN and Infinity, which Python writes, are read so that the message can name their key. */
    private static final JsonMapper TREE = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(constraints())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private StrictJson() {}

    private static StreamReadConstraints constraints() {
        return StreamReadConstraints.builder()
                .maxNestingDepth(MAX_NESTING)
                .maxNameLength(MAX_NAME)
                .maxStringLength(MAX_STRING)
                .build();
    }

    /** A streaming parser of {@code in}; duplicate keys are the caller's to find. */
    public static JsonParser parser(InputStream in) {
        return STREAM.createParser(ObjectReadContext.empty(), utf8(in));
    }

    /** A document that must be one object. @throws JacksonException if it is not JSON */
    public static ObjectNode object(byte[] text, String subject) {
        JsonNode node;
        try {
            node = TREE.readTree(utf8(new ByteArrayInputStream(text)));
        } catch (JacksonException e) {
            throw invalid(subject, e);
        }
        if (node instanceof ObjectNode object) {
            return object;
        }
        throw new CheckpointException(
                subject + ": expected a JSON object, found " + (node.isMissingNode() ? "nothing" : node.getNodeType()));
    }

    /** The same JSON value as plain Java: maps, lists, numbers, strings, booleans. */
    public static Object plain(JsonNode node) {
        return TREE.treeToValue(node, Object.class);
    }

    /** An empty object to fill. */
    public static ObjectNode newObject() {
        return TREE.createObjectNode();
    }

    /** A Java value as JSON. */
    public static JsonNode toNode(Object value) {
        return TREE.valueToTree(value);
    }

    /** Indented text. */
    public static String pretty(JsonNode node) {
        return TREE.writerWithDefaultPrettyPrinter().writeValueAsString(node);
    }

    /** The exception for text that is not JSON: where and why. */
    public static CheckpointException invalid(String subject, JacksonException e) {
        String why = e.getCause() instanceof CharacterCodingException ? "is not UTF-8" : "is not valid JSON";
        String where = e.getLocation() == null || e.getLocation().getCharOffset() < 0
                ? ""
                : " at character " + e.getLocation().getCharOffset();
        return new CheckpointException(subject + ": " + why + where + ": " + shortened(e.getOriginalMessage()), e);
    }

    /** Text from a file made fit for a message: hostile files carry megabytes where a word is expected. */
    public static String shortened(String text) {
        return text.length() <= 200 ? text : text.substring(0, 200) + "... (" + text.length() + " characters)";
    }

    /** The current scalar for messages. */
    public static String found(JsonParser p) {
        JsonToken token = p.currentToken();
        return token != null && token.isScalarValue() ? shortened(p.getString()) : String.valueOf(token);
    }

    /** A reader that reports malformed bytes; left to itself the parser would guess UTF-16 from zero bytes. */
    private static Reader utf8(InputStream in) {
        return new InputStreamReader(
                in,
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT));
    }
}

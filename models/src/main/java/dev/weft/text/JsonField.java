package dev.weft.text;

import dev.weft.CheckpointException;
import tools.jackson.databind.JsonNode;

/**
 * A value of a JSON file with its place in it, so that a wrong value can be named.
 *
 * @param file the file
 * @param path place within the file, empty for the whole
 * @param node the value; missing if the file has none
 */
record JsonField(String file, String path, JsonNode node) {
    private static final int LONGEST_QUOTE = 60;

    /** A field of this object. */
    JsonField child(String name) {
        return new JsonField(file, path.isEmpty() ? name : path + "." + name, node.path(name));
    }

    /** An element of this array. */
    JsonField element(int index) {
        return new JsonField(file, path + "[" + index + "]", node.path(index));
    }

    /** File and path as messages name them. */
    String subject() {
        return path.isEmpty() ? file : file + ": " + path;
    }

    boolean isAbsent() {
        return node.isMissingNode() || node.isNull();
    }

    JsonField object() {
        if (!node.isObject()) {
            throw wrong("an object");
        }
        return this;
    }

    JsonField array() {
        if (!node.isArray()) {
            throw wrong("an array");
        }
        return this;
    }

    String string() {
        if (!node.isString()) {
            throw wrong("a string");
        }
        return node.stringValue();
    }

    boolean flag() {
        if (!node.isBoolean()) {
            throw wrong("true or false");
        }
        return node.booleanValue();
    }

    boolean flagOr(boolean ifAbsent) {
        return isAbsent() ? ifAbsent : flag();
    }

    /** An integer from 0 to {@code highest}. */
    int index(int highest) {
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < 0 || node.intValue() > highest) {
            throw wrong("an integer from 0 to " + highest);
        }
        return node.intValue();
    }

    CheckpointException wrong(String expected) {
        return wrong(describe(), expected);
    }

    CheckpointException wrong(String found, String expected) {
        return new CheckpointException(subject() + ": found " + found + ", expected " + expected);
    }

    static String quote(String text) {
        return '"' + shorten(text) + '"';
    }

    private String describe() {
        return switch (node.getNodeType()) {
            case MISSING -> "nothing";
            case OBJECT -> "an object";
            case ARRAY -> "an array of " + node.size();
            case STRING -> quote(node.stringValue());
            default -> shorten(node.toString());
        };
    }

    private static String shorten(String text) {
        return text.length() <= LONGEST_QUOTE
                ? text
                : text.substring(0, LONGEST_QUOTE) + "... (" + text.length() + " characters)";
    }
}

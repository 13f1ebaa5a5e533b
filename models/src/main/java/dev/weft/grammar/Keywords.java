package dev.weft.grammar;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The keywords of one schema, with its place in the whole so that what is wrong can be named. */
final class Keywords {
    private final JsonNode node;
    private final String place;

    Keywords(JsonNode node, String place) {
        this.node = node;
        this.place = place;
        if (!node.isObject()) {
            throw new SchemaException(
                    place() + ": found " + SchemaJson.kind(node) + ", expected an object, true or false");
        }
    }

    /** Names this schema in messages, as in {@code schema #/items}. */
    String place() {
        return place;
    }

    /** The place of a keyword. */
    String at(String keyword) {
        return place + "/" + keyword;
    }

    Collection<String> names() {
        return node.propertyNames();
    }

    boolean has(String keyword) {
        return node.has(keyword);
    }

    /** Missing if it is not there. */
    JsonNode get(String keyword) {
        return node.path(keyword);
    }

    String string(String keyword) {
        if (!get(keyword).isString()) {
            throw wrong(keyword, "a string");
        }
        return get(keyword).stringValue();
    }

    /** A string or an array of strings; empty if it is not there. */
    List<String> strings(String keyword) {
        if (!has(keyword)) {
            return List.of();
        }
        if (get(keyword).isString() && keyword.equals("type")) {
            return List.of(string(keyword));
        }
        List<String> strings = new ArrayList<>();
        for (JsonNode element : get(keyword).isArray() ? get(keyword) : List.<JsonNode>of()) {
            if (element.isString()) {
                strings.add(element.stringValue());
            }
        }
        if (!get(keyword).isArray() || strings.size() != get(keyword).size()) {
            throw wrong(keyword, "an array of strings");
        }
        return strings;
    }

    /** A non-empty array. */
    List<JsonNode> array(String keyword) {
        if (!get(keyword).isArray() || get(keyword).isEmpty()) {
            throw wrong(keyword, "an array that is not empty");
        }
        return List.copyOf(get(keyword).values());
    }

    /** The properties of an object in their order; empty if it is not there. */
    Map<String, JsonNode> object(String keyword) {
        Map<String, JsonNode> properties = new LinkedHashMap<>();
        if (has(keyword)) {
            if (!get(keyword).isObject()) {
                throw wrong(keyword, "an object");
            }
            get(keyword).properties().forEach(p -> properties.put(p.getKey(), p.getValue()));
        }
        return properties;
    }

    /** A number of things. */
    int count(String keyword, int ifAbsent) {
        BigDecimal count = number(keyword);
        if (count == null) {
            return ifAbsent;
        }
        if (count.signum() < 0 || count.stripTrailingZeros().scale() > 0) {
            throw wrong(keyword, "an integer, 0 or more");
        }
        if (count.compareTo(BigDecimal.valueOf(Limits.STATES)) > 0) {
            throw Limits.tooManyStates("in " + at(keyword), Limits.STATES);
        }
        return count.intValueExact();
    }

    @Nullable
    BigDecimal number(String keyword) {
        if (!has(keyword)) {
            return null;
        }
        if (!get(keyword).isNumber() || !NumberRange.isComparable(get(keyword).decimalValue())) {
            throw wrong(keyword, "a number of at most 40 digits");
        }
        return get(keyword).decimalValue();
    }

    SchemaException unsupported(String keyword) {
        return new SchemaException(place() + ": found the keyword " + SchemaJson.quoted(keyword)
                + ", which constrained decoding does not support; leave it out and check the result");
    }

    private SchemaException wrong(String keyword, String expected) {
        return new SchemaException(at(keyword) + ": found " + SchemaJson.kind(get(keyword)) + ", expected " + expected);
    }
}

package dev.weft.io.support;

import dev.weft.CheckpointException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Typed, bounded reads of one JSON object; every failure names file, key, what was found and what was expected. */
public final class ConfigReader {
    private final String subject;
    private final String prefix;
    private final ObjectNode node;
    private final Set<String> known = new LinkedHashSet<>();

    /** @param subject what to call the object in messages, a file as a rule */
    public ConfigReader(String subject, ObjectNode node) {
        this(subject, "", node);
    }

    private ConfigReader(String subject, String prefix, ObjectNode node) {
        this.subject = subject;
        this.prefix = prefix;
        this.node = node;
    }

    /** Whether the key is there and not null. */
    public boolean has(String key) {
        known.add(key);
        return !node.path(key).isMissingNode() && !node.path(key).isNull();
    }

    /** An integer in {@code [min, max]}. */
    public int integer(String key, int min, int max) {
        JsonNode v = get(key);
        require(
                v.isIntegralNumber() && v.canConvertToLong() && v.longValue() >= min && v.longValue() <= max,
                key,
                "an integer of " + min + " to " + max);
        return v.intValue();
    }

    /** An integer in {@code [min, max]}, {@code absent} if the key is not there. */
    public int integer(String key, int min, int max, int absent) {
        return has(key) ? integer(key, min, max) : absent;
    }

    /** A finite number in {@code [min, max]}. */
    public double real(String key, double min, double max) {
        JsonNode v = get(key);
        // the negation also refuses NaN
        require(
                v.isNumber() && v.doubleValue() >= min && v.doubleValue() <= max,
                key,
                "a number of " + min + " to " + max);
        return v.doubleValue();
    }

    /** A truth value, {@code absent} if the key is not there. */
    public boolean bool(String key, boolean absent) {
        if (!has(key)) {
            return absent;
        }
        require(get(key).isBoolean(), key, "true or false");
        return get(key).booleanValue();
    }

    /** A string. */
    public String text(String key) {
        require(get(key).isString(), key, "a string");
        return get(key).stringValue();
    }

    /** A string that must be one of {@code allowed}. */
    public String oneOf(String key, String... allowed) {
        String v = text(key);
        require(List.of(allowed).contains(v), key, "one of " + List.of(allowed));
        return v;
    }

    /** A key that, where present, must have this value because nothing else is implemented. */
    public void only(String key, Object value) {
        if (has(key)) {
            require(StrictJson.plain(get(key)).equals(value), key, value + ", the only value that is supported");
        }
    }

    /** A list of integers in {@code [0, max]}. */
    public int[] integers(String key, int max) {
        JsonNode v = get(key);
        require(v.isArray(), key, "a list of integers");
        int[] out = new int[v.size()];
        for (int i = 0; i < out.length; i++) {
            JsonNode e = v.get(i);
            boolean fits = e.isIntegralNumber() && e.canConvertToLong() && e.longValue() >= 0 && e.longValue() <= max;
            if (!fits) {
                throw fail(key + "[" + i + "]", shown(e), "an integer of 0 to " + max);
            }
            out[i] = e.intValue();
        }
        return out;
    }

    /** The object under a key; its keys are named with the prefix in messages. */
    public ConfigReader section(String key) {
        JsonNode v = get(key);
        if (v instanceof ObjectNode object) {
            return new ConfigReader(subject, prefix + key + ".", object);
        }
        throw fail(key, shown(v), "an object");
    }

    /** The objects in the list under a key. */
    public List<ConfigReader> sections(String key) {
        JsonNode v = get(key);
        require(v.isArray(), key, "a list of objects");
        List<ConfigReader> all = new ArrayList<>();
        for (int i = 0; i < v.size(); i++) {
            String name = key + "[" + i + "]";
            if (!(v.get(i) instanceof ObjectNode object)) {
                throw fail(name, shown(v.get(i)), "an object");
            }
            all.add(new ConfigReader(subject, prefix + name + ".", object));
        }
        return all;
    }

    /** Throws unless {@code condition} holds; {@code key} has the value to blame. */
    public void require(boolean condition, String key, String expected) {
        if (!condition) {
            throw fail(key, shown(node.path(key)), expected);
        }
    }

    /** Keys that nobody asked for, as plain Java values. */
    public Map<String, Object> rest() {
        Map<String, Object> rest = new LinkedHashMap<>();
        node.propertyStream()
                .filter(e -> !known.contains(e.getKey()) && !e.getValue().isNull())
                .forEach(e -> rest.put(e.getKey(), StrictJson.plain(e.getValue())));
        return rest;
    }

    /** Marks keys as known that have no influence on inference. */
    public void ignore(String... keys) {
        known.addAll(Arrays.asList(keys));
    }

    private JsonNode get(String key) {
        if (!has(key)) {
            throw new CheckpointException(subject + ": " + prefix + key + " is missing");
        }
        return node.get(key);
    }

    private CheckpointException fail(String key, String found, String expected) {
        return new CheckpointException(subject + ": " + prefix + key + ": found " + found + ", expected " + expected);
    }

    private static String shown(JsonNode v) {
        return StrictJson.shortened(v.toString());
    }
}

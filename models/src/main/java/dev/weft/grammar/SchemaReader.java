package dev.weft.grammar;

import java.math.BigDecimal;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads JSON Schema as the rules of a grammar. */
final class SchemaReader {
    private static final Set<String> ANNOTATIONS = Set.of(
            "$comment",
            "$defs",
            "$id",
            "$schema",
            "contentEncoding",
            "contentMediaType",
            "contentSchema",
            "default",
            "definitions",
            "deprecated",
            "description",
            "example",
            "examples",
            "format",
            "readOnly",
            "title",
            "writeOnly");
    private static final String SUBJECT = "schema ";
    private static final String EXTENSION = "x-";

    /** Keywords that say all there is to say; beside them only annotations may stand. */
    private static final List<String> ALONE = List.of("$ref", "anyOf", "oneOf", "allOf");

    private static final List<String> VALUES = List.of("const", "enum");
    private static final Set<String> TYPED = Set.of(
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "minLength",
            "maxLength",
            "pattern",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum");
    private static final List<String> TYPES =
            List.of("object", "array", "string", "number", "integer", "boolean", "null");

    /** More copies of what an array holds become a rule of their own. */
    private static final int INLINE_ELEMENTS = 2;

    private final JsonNode root;
    private final JsonOptions options;
    private final Rules rules = new Rules();
    private final JsonValues values;
    private final Set<String> exclusivePlaces = new HashSet<>();
    private final List<Exclusive> exclusives = new ArrayList<>();

    /** Alternatives of which no two may hold at once. */
    private record Exclusive(String place, List<Expr> choices) {}

    private SchemaReader(JsonNode root, JsonOptions options) {
        this.root = root;
        this.options = options;
        this.values = new JsonValues(rules, options);
    }

    /** The rules of a schema, the first for the whole text. */
    static List<Dfa> read(String schema, JsonOptions options) {
        return new SchemaReader(SchemaJson.parse(schema), options).run();
    }

    private List<Dfa> run() {
        rules.call(SUBJECT + "#", options.maxDepth(), () -> schema(root, SUBJECT + "#", options.maxDepth()));
        List<Dfa> written = rules.write();
        Overlap overlap = new Overlap(written, rules.work());
        exclusives.forEach(exclusive -> requireExclusion(exclusive, overlap));
        return written;
    }

    private static void requireExclusion(Exclusive exclusive, Overlap overlap) {
        List<Dfa> choices = exclusive.choices.stream().map(overlap::automaton).toList();
        for (int i = 0; i < choices.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (!overlap.excluded(choices.get(i), choices.get(j))) {
                    throw new SchemaException(exclusive.place + ": found that alternatives " + j + " and " + i
                            + " may hold at once, expected that they visibly exclude each other, as by a first"
                            + " property with different constants; anyOf needs no such thing");
                }
            }
        }
    }

    /** The values of a part of the schema. @param depth how deep references and free values in it may nest */
    private Expr schema(JsonNode node, String place, int depth) {
        if (node.isBoolean()) {
            return node.booleanValue() ? values.any(depth) : Expr.NOTHING;
        }
        Keywords keywords = new Keywords(node, place);
        refuseUnknown(keywords);
        for (String keyword : ALONE) {
            if (keywords.has(keyword)) {
                refuseBeside(keywords, keyword, Set.of());
                return switch (keyword) {
                    case "$ref" -> reference(keywords, depth);
                    case "oneOf" -> oneOf(keywords, depth);
                    default -> new Expr.Alt(alternatives(keywords, keyword, depth));
                };
            }
        }
        Set<String> types = types(keywords);
        for (String keyword : VALUES) {
            if (keywords.has(keyword)) {
                refuseBeside(keywords, keyword, Set.of("type"));
                return constants(keywords, keyword, types);
            }
        }
        return new Expr.Alt(
                types.stream().map(type -> ofType(type, keywords, depth)).toList());
    }

    private static void refuseUnknown(Keywords keywords) {
        for (String name : keywords.names()) {
            boolean known = ANNOTATIONS.contains(name)
                    || ALONE.contains(name)
                    || VALUES.contains(name)
                    || TYPED.contains(name)
                    || name.startsWith(EXTENSION);
            if (!known) {
                throw keywords.unsupported(name);
            }
        }
    }

    private static void refuseBeside(Keywords keywords, String keyword, Set<String> besides) {
        for (String name : keywords.names()) {
            boolean says = !ANNOTATIONS.contains(name) && !name.startsWith(EXTENSION);
            if (says && !name.equals(keyword) && !besides.contains(name)) {
                throw new SchemaException(keywords.place() + ": found " + SchemaJson.shortened(name) + " beside "
                        + keyword + ", expected only annotations there: write what it says into every alternative");
            }
        }
    }

    private Expr reference(Keywords keywords, int depth) {
        String reference = keywords.string("$ref");
        JsonNode target = resolve(reference, keywords.at("$ref"));
        String place = SUBJECT + reference;
        return depth == 0 ? Expr.NOTHING : rules.call(place, depth - 1, () -> schema(target, place, depth - 1));
    }

    private JsonNode resolve(String reference, String place) {
        if (!reference.equals("#") && !reference.startsWith("#/")) {
            throw new SchemaException(place + ": found " + SchemaJson.quoted(reference)
                    + ", expected a reference within the schema, as in #/$defs/name");
        }
        JsonNode node = root;
        String[] steps = reference.split("/", -1);
        for (int i = 1; i < steps.length; i++) {
            String step = decoded(steps[i], place).replace("~1", "/").replace("~0", "~");
            node = node.isArray() && step.matches("\\d{1,6}") ? node.path(Integer.parseInt(step)) : node.path(step);
        }
        if (node.isMissingNode()) {
            throw new SchemaException(place + ": found " + SchemaJson.quoted(reference)
                    + ", expected a reference to a part that the schema has");
        }
        return node;
    }

    private static String decoded(String step, String place) {
        try {
            return URLDecoder.decode(step.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw new SchemaException(place + ": found a broken percent sign in " + SchemaJson.quoted(step), e);
        }
    }

    private List<Expr> alternatives(Keywords keywords, String keyword, int depth) {
        List<JsonNode> branches = keywords.array(keyword);
        if (keyword.equals("allOf") && branches.size() != 1) {
            throw new SchemaException(keywords.at(keyword) + ": found " + branches.size()
                    + " schemas, expected one: write those that must hold together as one");
        }
        List<Expr> choices = new ArrayList<>();
        for (int i = 0; i < branches.size(); i++) {
            choices.add(schema(branches.get(i), keywords.at(keyword) + "/" + i, depth));
        }
        return choices;
    }

    private Expr oneOf(Keywords keywords, int depth) {
        List<Expr> choices = alternatives(keywords, "oneOf", depth);
        if (exclusivePlaces.add(keywords.at("oneOf"))) { // what holds at this depth holds at lesser ones
            exclusives.add(new Exclusive(keywords.at("oneOf"), choices));
        }
        return new Expr.Alt(choices);
    }

    private static Set<String> types(Keywords keywords) {
        Set<String> types = new LinkedHashSet<>(keywords.strings("type"));
        for (String type : types) {
            if (!TYPES.contains(type)) {
                throw new SchemaException(
                        keywords.at("type") + ": found " + SchemaJson.quoted(type) + ", expected some of " + TYPES);
            }
        }
        return types.isEmpty() ? new LinkedHashSet<>(TYPES) : types;
    }

    private static Expr constants(Keywords keywords, String keyword, Set<String> types) {
        List<JsonNode> constants = keyword.equals("const") ? List.of(keywords.get(keyword)) : keywords.array(keyword);
        return Expr.texts(constants.stream()
                .filter(value -> types.stream().anyMatch(type -> SchemaJson.isOfType(value, type)))
                .map(value -> SchemaJson.write(value, keywords.at(keyword))));
    }

    private Expr ofType(String type, Keywords keywords, int depth) {
        return switch (type) {
            case "object" -> object(keywords, depth);
            case "array" -> array(keywords, depth);
            case "string" -> string(keywords);
            case "number" -> number(keywords, false);
            case "integer" -> number(keywords, true);
            case "boolean" -> JsonValues.BOOLEAN;
            default -> JsonValues.NULL;
        };
    }

    private Expr object(Keywords keywords, int depth) {
        Map<String, JsonNode> properties = keywords.object("properties");
        Set<String> required = new LinkedHashSet<>(keywords.strings("required"));
        JsonNode others = keywords.get("additionalProperties");
        boolean open = others.isMissingNode() ? properties.isEmpty() : !others.equals(SchemaJson.FALSE);
        Set<String> names = new LinkedHashSet<>(properties.keySet());
        names.addAll(required);
        List<JsonValues.Member> members = new ArrayList<>();
        for (String name : names) {
            JsonNode property = properties.getOrDefault(name, others.isMissingNode() ? SchemaJson.TRUE : others);
            Expr value = schema(
                    property,
                    properties.containsKey(name)
                            ? keywords.at("properties") + "/" + SchemaJson.step(name)
                            : keywords.at("additionalProperties"),
                    depth);
            Expr key = Expr.text(JsonStrings.quote(name, keywords.at("properties")));
            members.add(new JsonValues.Member(values.member(key, value), required.contains(name)));
        }
        if (!open) {
            return values.object(members, Expr.NOTHING);
        }
        Expr value = others.isMissingNode()
                ? freeElement(depth)
                : schema(others, keywords.at("additionalProperties"), depth);
        return values.object(members, values.member(otherName(names, keywords), value));
    }

    private Expr freeElement(int depth) {
        return depth == 0 ? Expr.NOTHING : values.any(depth - 1);
    }

    /** A name that no member has whose place is fixed. */
    private static Expr otherName(Set<String> names, Keywords keywords) {
        if (names.isEmpty()) {
            return JsonStrings.FREE;
        }
        Expr fixed = Expr.texts(names.stream().map(name -> JsonStrings.quote(name, keywords.place())));
        return new Expr.Machine(Dfa.difference(Nfa.determinise(JsonStrings.CANONICAL), Nfa.determinise(fixed)));
    }

    private Expr array(Keywords keywords, int depth) {
        List<JsonNode> prefix = keywords.has("prefixItems") ? keywords.array("prefixItems") : List.of();
        JsonNode others = keywords.get("items");
        int min = keywords.count("minItems", 0);
        int max = keywords.count("maxItems", Expr.UNBOUNDED);
        boolean closed =
                others.isMissingNode() ? !prefix.isEmpty() && min <= prefix.size() : others.equals(SchemaJson.FALSE);
        if (closed) {
            max = max == Expr.UNBOUNDED ? prefix.size() : Math.min(max, prefix.size());
        }
        List<Expr> first = new ArrayList<>();
        for (int i = 0; i < prefix.size(); i++) {
            first.add(schema(prefix.get(i), keywords.at("prefixItems") + "/" + i, depth));
        }
        if (max != Expr.UNBOUNDED && max < min) {
            return Expr.NOTHING;
        }
        Expr other = Expr.NOTHING;
        if (!closed) {
            String place = keywords.at("items");
            int copies = Math.max(min, max == Expr.UNBOUNDED ? 1 : max);
            if (others.isMissingNode()) {
                other = freeElement(depth);
            } else if (copies > INLINE_ELEMENTS) {
                other = rules.call(place, depth, () -> schema(others, place, depth));
            } else {
                other = schema(others, place, depth);
            }
        }
        return values.array(first, other, min, max);
    }

    private static Expr string(Keywords keywords) {
        int min = keywords.count("minLength", 0);
        int max = keywords.count("maxLength", Expr.UNBOUNDED);
        boolean bounded = min > 0 || max != Expr.UNBOUNDED;
        if (max != Expr.UNBOUNDED && max < min) {
            return Expr.NOTHING;
        }
        if (!keywords.has("pattern")) {
            return bounded
                    ? JsonStrings.quoted(new Expr.Repeat(JsonStrings.CANONICAL_CHARACTER, min, max))
                    : JsonStrings.FREE;
        }
        Expr content = PatternReader.read(keywords.string("pattern"), keywords.at("pattern"));
        if (bounded) {
            Expr length = new Expr.Repeat(JsonStrings.CANONICAL_CHARACTER, min, max);
            content = new Expr.Machine(Dfa.intersection(Nfa.determinise(content), Nfa.determinise(length)));
        }
        return JsonStrings.quoted(content);
    }

    private static Expr number(Keywords keywords, boolean integer) {
        NumberRange.@Nullable Bound least = tighter(keywords, "minimum", "exclusiveMinimum", 1);
        NumberRange.@Nullable Bound greatest = tighter(keywords, "maximum", "exclusiveMaximum", -1);
        if (least == null && greatest == null) {
            return integer ? JsonValues.INTEGER : JsonValues.NUMBER;
        }
        return NumberRange.of(integer, least, greatest);
    }

    /** The bound that leaves less. @param sign 1 if greater ones leave less, -1 if lesser ones do */
    private static NumberRange.@Nullable Bound tighter(Keywords keywords, String closed, String open, int sign) {
        @Nullable BigDecimal a = keywords.number(closed);
        @Nullable BigDecimal b = keywords.number(open);
        if (a == null) {
            return b == null ? null : new NumberRange.Bound(b, true);
        }
        return b != null && Integer.signum(b.compareTo(a)) != -sign
                ? new NumberRange.Bound(b, true)
                : new NumberRange.Bound(a, false);
    }
}

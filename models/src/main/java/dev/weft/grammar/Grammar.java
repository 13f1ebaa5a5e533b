package dev.weft.grammar;

import java.util.List;
import java.util.function.Function;

/** A form of text. Immutable; independent of a vocabulary. */
public final class Grammar {
    private final Automaton automaton;

    private Grammar(List<Dfa> rules) {
        this.automaton = Automaton.of(rules);
    }

    /** Any JSON value. */
    public static Grammar json(JsonOptions options) {
        return of(options, values -> values.any(options.maxDepth()));
    }

    /** Any JSON object. Its names need not be distinct: RFC 8259 leaves that open. */
    public static Grammar jsonObject(JsonOptions options) {
        return of(options, values -> values.anyObject(options.maxDepth()));
    }

    /** JSON that satisfies a schema, see {@link #jsonSchema(String, JsonOptions)}, with the default options. */
    public static Grammar jsonSchema(String schema) {
        return jsonSchema(schema, JsonOptions.defaults());
    }

    /**
     * JSON that satisfies a schema. Not every JSON that does is of this grammar: properties come in the order of the
     * schema, and where it does not say what else there may be, there is nothing else.
     *
     * <p>Supported are true and false, {@code type}, {@code enum}, {@code const}, {@code anyOf}, {@code allOf} of one,
     * {@code oneOf} of alternatives that visibly exclude each other, and {@code $ref} within the schema, also recursive;
     * of objects {@code properties}, {@code required}, {@code additionalProperties}; of arrays {@code items},
     * {@code prefixItems}, {@code minItems}, {@code maxItems}; of strings {@code minLength}, {@code maxLength},
     * {@code pattern}; of numbers {@code minimum}, {@code maximum}, {@code exclusiveMinimum}, {@code exclusiveMaximum}.
     * Annotations, {@code format} among them, are passed over.
     *
     * @param schema of JSON Schema 2020-12
     * @throws SchemaException if it is no JSON, has another keyword, allows nothing, or becomes too large
     */
    public static Grammar jsonSchema(String schema, JsonOptions options) {
        return new Grammar(SchemaReader.read(schema, options));
    }

    /**
     * One of some texts, as it stands.
     *
     * @throws SchemaException if there are none, or one has half a surrogate pair
     */
    public static Grammar choice(List<String> texts) {
        if (texts.isEmpty()) {
            throw new SchemaException("choice: found no texts, expected one or more");
        }
        texts.forEach(text -> JsonStrings.quote(text, "choice"));
        return new Grammar(List.of(Nfa.determinise(Expr.texts(texts.stream()))));
    }

    private static Grammar of(JsonOptions options, Function<JsonValues, Expr> text) {
        Rules rules = new Rules();
        JsonValues values = new JsonValues(rules, options);
        rules.call("text", 0, () -> text.apply(values));
        return new Grammar(rules.write());
    }

    /**
     * This grammar over the tokens of a model.
     *
     * @throws dev.weft.RequestException if it is too ambiguous
     */
    public CompiledGrammar compile(TokenVocabulary vocabulary) {
        return new CompiledGrammar(automaton, vocabulary);
    }
}

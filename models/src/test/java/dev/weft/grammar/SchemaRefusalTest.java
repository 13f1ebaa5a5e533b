package dev.weft.grammar;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is not supported is refused by name, and what is hostile ends in the same exception, not in waiting. */
class SchemaRefusalTest {
    private static void assertRefused(String schema, String... parts) {
        assertThatThrownBy(() -> Grammar.jsonSchema(schema))
                .isInstanceOf(SchemaException.class)
                .hasMessageContainingAll(parts)
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(1000));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"not\": {}} | 'not'",
                "{\"properties\": {\"a\": {\"if\": {}}}} | schema #/properties/a: found the keyword 'if'",
                "{\"patternProperties\": {}} | 'patternProperties'",
                "{\"uniqueItems\": true} | 'uniqueItems'",
                "{\"multipleOf\": 3} | 'multipleOf'",
                "{\"type\": \"text\"} | schema #/type",
                "{\"type\": 3} | #/type: found 3",
                "{\"type\": \"object\", \"properties\": []} | #/properties: found an array of 0, expected an object",
                "{\"items\": [{}]} | schema #/items: found an array of 1",
                "{\"minLength\": -1} | #/minLength: found -1",
                "{\"maxItems\": 1.5} | #/maxItems: found 1.5",
                "{\"minimum\": \"1\"} | #/minimum: found '1'",
                "{\"exclusiveMinimum\": true} | #/exclusiveMinimum: found true",
                "{\"minimum\": 1e999} | #/minimum",
                "{\"enum\": []} | #/enum",
                "{\"const\": \"\\ud800\"} | half a surrogate pair",
                "{\"anyOf\": [{}], \"type\": \"string\"} | found type beside anyOf",
                "{\"allOf\": [{}, {}]} | #/allOf: found 2 schemas",
                "{\"oneOf\": [{\"type\": \"number\"}, {\"type\": \"integer\"}]} | alternatives 0 and 1 may hold at once",
                "{\"oneOf\": [{\"type\": \"object\"}, {\"properties\": {\"a\": {}}, \"type\": \"object\"}]} | may hold at once",
                "{\"$ref\": \"other.json\"} | expected a reference within the schema",
                "{\"$ref\": \"#/$defs/none\"} | that the schema has",
                "{\"$ref\": \"#/%zz\"} | percent",
                "{\"pattern\": \"(?=a)\"} | #/pattern: at character 2: found '='",
                "{\"pattern\": \"a\\\\b\"} | found 'b'",
                "{\"pattern\": \"(a\"} | expected ')'",
                "{\"pattern\": \"[b-a]\"} | range",
                "{\"pattern\": \"a$b\"} | end of an alternative",
                "{\"pattern\": \"a{3,2}\"} | ascending",
                "{\"pattern\": \"*\"} | found '*'",
                "{\"pattern\": \"\\\\ud800\"} | d800",
                "[] | found an array of 0, expected an object, true or false",
                "false | no text satisfies it",
                "{\"type\": \"integer\", \"minimum\": 2, \"maximum\": 1} | no text satisfies it",
                "{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 1} | no text satisfies it",
                "{\"type\": \"array\", \"minItems\": 1, \"items\": false} | no text satisfies it",
                "{\"enum\": [1], \"type\": \"string\"} | no text satisfies it",
            })
    void whatCannotBeIsNamed(String schema, String message) {
        assertRefused(schema, message.strip());
    }

    @Test
    void textThatIsNoJsonIsRefused() {
        assertRefused("", "found nothing");
        assertRefused("{", "found broken JSON");
        assertRefused("{} {}", "found broken JSON");
        assertRefused("{\"type\": \"string\", \"type\": \"null\"}", "found broken JSON");
        assertRefused("{'a': 1}", "found broken JSON");
        assertRefused("[".repeat(100_000), "found broken JSON");
        assertRefused("{\"anyOf\": [".repeat(100_000), "found broken JSON");
    }

    @Test
    void referencesThatOnlyLeadToThemselvesAreRefused() {
        assertRefused("{\"$ref\": \"#\"}", "no text satisfies it");
        assertRefused(
                "{\"$ref\": \"#/$defs/a\", \"$defs\": {\"a\": {\"$ref\": \"#/$defs/b\"}, \"b\": {\"anyOf\": [{\"$ref\": \"#/$defs/a\"}]}}}",
                "no text satisfies it");
        assertRefused(
                "{\"type\": \"object\", \"properties\": {\"next\": {\"$ref\": \"#\"}}, \"required\": [\"next\"]}",
                "no text satisfies it");
    }

    @Test
    void hugeSchemasAreRefused() {
        assertRefused("{\"type\": \"string\", \"maxLength\": 10000000}", "#/maxLength", "lower the bounds");
        assertRefused("{\"type\": \"string\", \"minLength\": 200000}", "lower the bounds");
        assertRefused(
                "{\"type\": \"array\", \"maxItems\": 200000, \"items\": {\"enum\": [\"abcdefgh\"]}}",
                "lower the bounds");
        assertRefused("{\"pattern\": \"((a{0}){100000}){100000}\"}", "lower the bounds");
        assertRefused("{\"pattern\": \"((a{1000}){1000}){1000}\"}", "lower the bounds");
        assertRefused("{\"pattern\": \"^(a|b)*a(a|b){40}$\"}", "lower the bounds");
        assertRefused("{\"pattern\": \"" + "(".repeat(5000) + "\"}", "groups within each other");
        String names =
                IntStream.range(0, 100_000).mapToObj(i -> "\"value-" + i + "\"").collect(joining(","));
        assertRefused("{\"enum\": [" + names + "]}", "lower the bounds");
        String doubling = IntStream.range(0, 30)
                .mapToObj(i -> "\"d" + i + "\": {\"type\": \"array\", \"prefixItems\": [{\"$ref\": \"#/$defs/d"
                        + (i + 1) + "\"}, {\"$ref\": \"#/$defs/d" + (i + 1) + "\"}], \"minItems\": 2}")
                .collect(joining(",", "{\"$ref\": \"#/$defs/d0\", \"$defs\": {", ", \"d30\": {\"type\": \"null\"}}}"));
        int shortest = Grammar.jsonSchema(doubling)
                .compile(Texts.vocabulary(Vocabularies.small(1)))
                .newConstraint()
                .shortest();
        assertThat(shortest).isGreaterThan(1 << 28); // no one waits for that, but it does no harm
    }

    @Test
    void manyWaysToReadOneTextAreRefused() {
        String branches = IntStream.range(0, 200)
                .mapToObj(i -> "{\"$ref\": \"#/$defs/d" + i + "\"}")
                .collect(joining(",", "{\"anyOf\": [", "]"));
        String definitions = IntStream.range(0, 200)
                .mapToObj(i -> "\"d" + i + "\": {\"type\": \"array\", \"minItems\": " + i + "}")
                .collect(joining(",", ", \"$defs\": {", "}}"));
        assertRefused(branches + definitions, "ways to read one text");
    }

    @Test
    void comparingManyAlternativesEnds() {
        String doubling = IntStream.range(0, 12)
                .mapToObj(i ->
                        "\"d" + i + "\": {\"anyOf\": [{\"$ref\": \"#/$defs/d" + (i + 1) + "\"}, {\"$ref\": \"#/$defs/e"
                                + (i + 1) + "\"}]}, \"e" + i + "\": {\"$ref\": \"#/$defs/d" + i + "\"}")
                .collect(joining(
                        ",", "\"$defs\": {", ", \"d12\": {\"type\": \"null\"}, \"e12\": {\"type\": \"null\"}}"));
        assertRefused(
                "{\"oneOf\": [{\"type\": \"string\"}, {\"anyOf\": [{\"$ref\": \"#/$defs/d0\"}, {\"type\": \"array\"}]}], "
                        + doubling + "}",
                "ways to read one text");
        String constants = IntStream.range(0, 3000)
                .mapToObj(i -> "{\"const\": \"number-" + i + "\"}")
                .collect(joining(",", "{\"oneOf\": [", "]}"));
        assertRefused(constants, "steps to make rules deterministic");
    }

    @Test
    void aChoiceNeedsChoices() {
        assertThatThrownBy(() -> Grammar.choice(List.of())).isInstanceOf(SchemaException.class);
        assertThatThrownBy(() -> Grammar.choice(List.of("a\ud800")))
                .isInstanceOf(SchemaException.class)
                .hasMessageContaining("half a surrogate pair");
    }
}

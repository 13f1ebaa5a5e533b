package dev.weft.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.RequestException;
import dev.weft.model.Sampling;
import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Whatever the logits, the text has the form that was asked for, and ends in time. */
class GenerationTest {
    /** With the number of schemas more than a thousand in all. */
    private static final int GENERATIONS = 80;

    private static final byte[][] TOKENS = Vocabularies.small(1);
    private static final TokenVocabulary VOCABULARY = Texts.vocabulary(TOKENS);

    static Stream<String> schemas() {
        return Schemas.ALL.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("schemas")
    void everyTextParsesAndValidates(String name) {
        String schema = Schemas.ALL.get(name);
        SchemaValidator validator = new SchemaValidator(Texts.json(schema));
        CompiledGrammar grammar = Grammar.jsonSchema(schema).compile(VOCABULARY);
        int shortest = grammar.newConstraint().shortest();
        SplittableRandom random = new SplittableRandom(name.hashCode());
        Set<String> different = new HashSet<>();
        for (int i = 0; i < GENERATIONS; i++) {
            int budget = i == 0 ? shortest : shortest + random.nextInt(80);
            Sampling sampling = i % 8 == 1 ? Sampling.greedy(budget) : Sampling.random(1, 0.95f, budget, i);
            String text = Texts.generate(grammar.newConstraint(), TOKENS, sampling, budget);
            different.add(text);
            JsonNode value = Texts.json(text);
            assertThat(validator.accepts(value)).as(text).isTrue();
        }
        assertThat(different).hasSizeGreaterThan(GENERATIONS / 2);
    }

    @Test
    void anyObjectParses() {
        CompiledGrammar grammar =
                Grammar.jsonObject(JsonOptions.defaults().withMaxDepth(3)).compile(VOCABULARY);
        int deepest = 0;
        for (int i = 0; i < GENERATIONS; i++) {
            String text = Texts.generate(grammar.newConstraint(), TOKENS, Sampling.random(1, 1, 150, i), 150);
            JsonNode value = Texts.json(text);
            assertThat(value.isObject()).as(text).isTrue();
            deepest = Math.max(deepest, depth(value));
        }
        assertThat(deepest).isEqualTo(3);
    }

    private static int depth(JsonNode value) {
        return value.isContainer()
                ? 1
                        + value.values().stream()
                                .mapToInt(GenerationTest::depth)
                                .max()
                                .orElse(0)
                : 0;
    }

    @Test
    void withoutSpacesThereAreNone() {
        String schema = Schemas.ALL.get("tree");
        CompiledGrammar grammar = Grammar.jsonSchema(
                        schema, JsonOptions.defaults().withSpaces(false))
                .compile(VOCABULARY);
        for (int i = 0; i < 20; i++) {
            String text = Texts.generate(grammar.newConstraint(), TOKENS, Sampling.random(1, 1, 60, i), 60);
            assertThat(text).doesNotContainAnyWhitespaces();
        }
    }

    @Test
    void choicesAreTakenAsTheyStand() {
        List<String> choices = List.of("yes", "no", "no, never", "日本", "{");
        CompiledGrammar grammar = Grammar.choice(choices).compile(VOCABULARY);
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            seen.add(Texts.generate(grammar.newConstraint(), TOKENS, Sampling.random(1, 1, 20, i), 20));
        }
        assertThat(seen).containsExactlyInAnyOrderElementsOf(choices);
    }

    @Test
    void theLeastBudgetIsEnoughAndOneLessIsRefused() {
        TokenConstraint constraint = Grammar.jsonSchema(Schemas.ALL.get("person"))
                .compile(VOCABULARY)
                .newConstraint();
        int shortest = constraint.shortest();
        // {"name":"","age":0} has 19 bytes; tokens as "\"name\"" make it shorter
        assertThat(shortest).isBetween(3, 19);
        TokenMask mask = new TokenMask(TOKENS.length);
        assertThatThrownBy(() -> constraint.allowed(mask, shortest - 1))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("room for " + (shortest - 1) + " tokens");
        assertThatThrownBy(() -> constraint.allowed(new TokenMask(TOKENS.length + 1), shortest))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("a vocabulary of " + (TOKENS.length + 1) + " tokens");
    }

    @Test
    void aCopyGoesItsOwnWay() {
        TokenConstraint constraint =
                Grammar.json(JsonOptions.defaults()).compile(VOCABULARY).newConstraint();
        constraint.accept('[');
        TokenConstraint copy = constraint.copy();
        copy.accept(']');
        copy.accept(VOCABULARY.end());
        assertThat(copy.isFinished()).isTrue();
        assertThat(constraint.isFinished()).isFalse();
        TokenMask mask = new TokenMask(TOKENS.length);
        constraint.allowed(mask, TokenConstraint.UNLIMITED);
        assertThat(mask.isAllowed(VOCABULARY.end())).isFalse();
        assertThat(mask.isAllowed(']')).isTrue();
        assertThatThrownBy(() -> copy.allowed(mask, 9)).isInstanceOf(RequestException.class);
    }

    @Test
    void aTokenThatIsNotAllowedChangesNothing() {
        TokenConstraint constraint =
                Grammar.choice(List.of("ab")).compile(VOCABULARY).newConstraint();
        for (int token : new int[] {'b', VOCABULARY.end(), -1, VOCABULARY.size()}) {
            assertThatThrownBy(() -> constraint.accept(token))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContaining("token " + token);
        }
        constraint.accept('a');
        constraint.accept('b');
        constraint.accept(VOCABULARY.end());
        assertThat(constraint.isFinished()).isTrue();
    }

    @Test
    void reasoningIsFreeAndEndsInTime() {
        int marker = TOKENS.length - 2;
        CompiledGrammar grammar = Grammar.choice(List.of("yes", "no")).compile(VOCABULARY);
        int shortest = new AfterToken(marker, VOCABULARY.end(), grammar.newConstraint()).shortest();
        assertThat(shortest).isEqualTo(4); // the marker, two letters, the end
        for (int budget = shortest; budget < 40; budget++) {
            TokenConstraint constraint = new AfterToken(marker, VOCABULARY.end(), grammar.newConstraint());
            String text = Texts.lossy(constraint, TOKENS, Sampling.random(1, 1, budget, budget), budget);
            assertThat(text).matches("(?s).*(yes|no)");
        }
        TokenConstraint constraint = new AfterToken(marker, VOCABULARY.end(), grammar.newConstraint());
        assertThatThrownBy(() -> constraint.accept(VOCABULARY.end())).isInstanceOf(RequestException.class);
        constraint.accept('x');
        TokenConstraint copy = constraint.copy();
        copy.accept(marker);
        TokenMask mask = new TokenMask(TOKENS.length);
        copy.allowed(mask, 20);
        assertThat(mask.isAllowed('x')).isFalse();
        constraint.allowed(mask, 20);
        assertThat(mask.isAllowed('x')).isTrue();
    }

    @Test
    void aVocabularyMustHaveEveryByte() {
        byte[][] tokens = Vocabularies.small(1);
        tokens['{'] = new byte[0];
        assertThatThrownBy(() -> Texts.vocabulary(tokens))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("single byte 123");
    }
}

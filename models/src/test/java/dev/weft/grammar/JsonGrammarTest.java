package dev.weft.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.JacksonException;

/** Which texts the grammars of JSON have, and that they are no others. */
class JsonGrammarTest {
    private static final CompiledGrammar JSON = Texts.overBytes(Grammar.json(JsonOptions.defaults()));

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "-0.5e-7",
                "\"\"",
                "\"\\u00e9\\ud83D\\uDe00\\/\\n\"",
                "\"日本 😀\"",
                "[]",
                "[ 1, [2,{}], true ]",
                "{\"a\": 1,\n  \"b\": [\n    \"c\"\n  ]\n}",
                "{ \"\" : false }"
            })
    void jsonIsTaken(String text) {
        assertThat(Texts.json(text)).isNotNull();
        assertThat(Texts.accepts(JSON, text)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "nul",
                "01",
                "-",
                "1.",
                ".5",
                "+1",
                "1e",
                "\"\\x\"",
                "\"\\ud83d\"",
                "\"\\ude00\"",
                "\"\\ud83d\\u0041\"",
                "\"\n\"",
                "[1,]",
                "[,1]",
                "{\"a\"}",
                "{a:1}",
                "{\"a\":1,}",
                "[1 2]",
                "nullnull",
                "1 ",
                "'a'",
                "NaN",
                "\u00a0[]"
            })
    void otherTextIsNot(String text) {
        assertThat(Texts.accepts(JSON, text)).isFalse();
    }

    @Test
    void brokenUtf8IsNotTaken() {
        for (byte[] middle : new byte[][] {
            {(byte) 0x80},
            {(byte) 0xC0, (byte) 0x80},
            {(byte) 0xE0, (byte) 0x80, (byte) 0x80},
            {(byte) 0xED, (byte) 0xA0, (byte) 0x80},
            {(byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
            {(byte) 0xC3},
            {(byte) 0xFF}
        }) {
            byte[] text = new byte[middle.length + 2];
            text[0] = '"';
            System.arraycopy(middle, 0, text, 1, middle.length);
            text[text.length - 1] = '"';
            assertThat(Texts.accepts(JSON, text)).as("%x", middle[0]).isFalse();
        }
    }

    /** Texts one change away from JSON: the grammar takes none that a strict parser refuses. */
    @Test
    void changedTextsAreTakenOnlyIfTheyAreJson() {
        byte[] original = "{\"a\": [1, -2.5e3, \"x\\n\\u00e9é\"], \"b\": {\"c\": null, \"d\": true}}"
                .getBytes(StandardCharsets.UTF_8);
        SplittableRandom random = new SplittableRandom(5);
        String changes = "{}[]\",:\\0e-. ntu\u0001é";
        int taken = 0;
        for (int i = 0; i < 300; i++) {
            byte[] text = original.clone();
            text[random.nextInt(text.length)] = (byte) changes.charAt(random.nextInt(changes.length()));
            if (Texts.accepts(JSON, text)) {
                taken++;
                try {
                    assertThat(Texts.json(Texts.utf8(text))).isNotNull();
                } catch (JacksonException e) {
                    throw new AssertionError(Texts.utf8(text), e);
                }
            }
        }
        assertThat(taken).isBetween(10, 200);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0, false",
        "-3, 120, false",
        "10, 99, false",
        "1.5, 1.75, false",
        "-1.25, 0.75, true",
        "-0.001, -0.0005, true",
        "99.99, , true",
        ", -1000, false",
        "1e3, 12345.678, false",
        "-50, -7, true",
        "7, 7, false"
    })
    void rangesHoldExactlyTheirNumbers(String min, String max, boolean open) {
        String low = min == null ? "" : ", \"" + (open ? "exclusiveMinimum" : "minimum") + "\": " + min;
        String high = max == null ? "" : ", \"" + (open ? "exclusiveMaximum" : "maximum") + "\": " + max;
        CompiledGrammar numbers = Texts.overBytes(Grammar.jsonSchema("{\"type\": \"number\"" + low + high + "}"));
        SplittableRandom random = new SplittableRandom(9);
        int inside = 0;
        for (int i = 0; i < 400; i++) {
            BigDecimal value = near(i % 2 == 0 && min != null || max == null ? min : max, random);
            boolean above = min == null || value.compareTo(new BigDecimal(min)) > (open ? 0 : -1);
            boolean below = max == null || value.compareTo(new BigDecimal(max)) < (open ? 0 : 1);
            inside += above && below ? 1 : 0;
            assertThat(Texts.accepts(numbers, value.toPlainString()))
                    .as("%s", value)
                    .isEqualTo(above && below);
        }
        assertThat(inside).isPositive();
    }

    private static BigDecimal near(String bound, SplittableRandom random) {
        BigDecimal unit = BigDecimal.ONE.movePointLeft(random.nextInt(-3, 5));
        return new BigDecimal(bound).add(unit.multiply(BigDecimal.valueOf(random.nextInt(-3, 4))));
    }

    @Test
    void integersHaveNoFraction() {
        CompiledGrammar digits = Texts.overBytes(
                Grammar.jsonSchema("{\"type\": \"integer\", \"minimum\": 1, \"exclusiveMaximum\": 13}"));
        for (int i = -20; i <= 140; i++) {
            assertThat(Texts.accepts(digits, Integer.toString(i))).isEqualTo(i >= 1 && i < 13);
        }
        assertThat(Texts.accepts(digits, "2.0")).isFalse();
        assertThat(Texts.accepts(digits, "02")).isFalse();
    }

    @Test
    void theTighterBoundCounts() {
        CompiledGrammar numbers = Texts.overBytes(Grammar.jsonSchema("""
                {"type": "integer", "minimum": 2, "exclusiveMinimum": 2, "maximum": 9, "exclusiveMaximum": 12}"""));
        for (int i = 0; i < 20; i++) {
            assertThat(Texts.accepts(numbers, Integer.toString(i))).isEqualTo(i > 2 && i <= 9);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "^[a-c]{2,3}$",
                "a|^b.$|c$",
                "(ab?)+c",
                "^\\d{1,2}(\\.\\d)?$",
                "^[^a-z\"]*$",
                "^(?:a|bc|)*d$",
                "\\\\\\w",
                "^\\u0061\\x62?é?$",
                "^\\S\\s\\D$",
                "a{0}b{2,}",
                "^$",
                "[\\d.-]",
                "^(?<n>ab|a)(c|bcd)?$"
            })
    void patternsMatchAsJavaDoes(String pattern) {
        CompiledGrammar grammar = Texts.overBytes(
                Grammar.jsonSchema("{\"type\": \"string\", \"pattern\": " + JsonStrings.quote(pattern, "test") + "}"));
        Pattern java = Pattern.compile(pattern);
        String alphabet = "aabbccd01. -\"\\é😀\n";
        int[] characters = alphabet.codePoints().toArray();
        SplittableRandom random = new SplittableRandom(3);
        int matches = 0;
        for (int i = 0; i < 1000; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(5); n > 0; n--) {
                text.appendCodePoint(characters[random.nextInt(characters.length)]);
            }
            // of Java's dollar only the end of the text is ECMAScript's
            boolean matched =
                    !text.toString().endsWith("\n") && java.matcher(text).find();
            if (text.toString().endsWith("\n")) {
                continue;
            }
            matches += matched ? 1 : 0;
            assertThat(Texts.accepts(grammar, JsonStrings.quote(text.toString(), "test")))
                    .as("%s", text)
                    .isEqualTo(matched);
        }
        assertThat(matches).isPositive();
    }

    @Test
    void lengthsCountCharacters() {
        CompiledGrammar three =
                Texts.overBytes(Grammar.jsonSchema("{\"type\": \"string\", \"minLength\": 3, \"maxLength\": 3}"));
        assertThat(Texts.accepts(three, "\"a😀é\"")).isTrue();
        assertThat(Texts.accepts(three, "\"a\\u0000\\n\"")).isTrue();
        assertThat(Texts.accepts(three, "\"abc\\u0064\"")).isFalse();
        assertThat(Texts.accepts(three, "\"😀😀\"")).isFalse();
        assertThat(Texts.accepts(three, "\"abcd\"")).isFalse();
    }

    @Test
    void otherPropertiesAreNotThoseOfTheSchema() {
        CompiledGrammar map = Texts.overBytes(Grammar.jsonSchema("""
                {"type": "object", "properties": {"a/b": {"type": "integer"}, "é": {"type": "null"}},
                 "additionalProperties": {"type": "string"}}"""));
        assertThat(Texts.accepts(map, "{\"a/b\":1,\"é\":null,\"a\":\"x\",\"a/bc\":\"y\"}"))
                .isTrue();
        assertThat(Texts.accepts(map, "{\"a/c\":\"z\"}")).isTrue();
        assertThat(Texts.accepts(map, "{\"a/b\":\"x\"}")).isFalse();
        assertThat(Texts.accepts(map, "{\"a\\/b\":\"x\"}")).isFalse(); // the same name in other letters
        assertThat(Texts.accepts(map, "{\"\\u00e9\":\"x\"}")).isFalse();
        assertThat(Texts.accepts(map, "{\"a\":\"x\",\"a/b\":1}")).isFalse(); // fixed ones come first
    }

    @Test
    void everyCharacterIsOneSequenceOfBytes() {
        CompiledGrammar any =
                Texts.overBytes(Grammar.jsonSchema("{\"type\": \"string\", \"pattern\": \"^[\\\\s\\\\S]$\"}"));
        for (int c = 0x20; c < 0x110000; c += c < 0x900 ? 1 : 97) {
            if (c != '"' && c != '\\' && (c < 0xD800 || c > 0xDFFF)) {
                assertThat(Texts.accepts(any, "\"" + Character.toString(c) + "\""))
                        .as("%x", c)
                        .isTrue();
            }
        }
    }
}

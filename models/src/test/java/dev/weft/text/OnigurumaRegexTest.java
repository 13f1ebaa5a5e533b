package dev.weft.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OnigurumaRegexTest {
    private static boolean finds(String regex, String text) {
        return OnigurumaRegex.compile(regex).matcher(text).find();
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            delimiter = ';',
            value = {
                "\\w; é",
                "[\\w]; ४",
                "^\\w+$; aé_४",
                "[^\\W]; é",
                "\\d; ४",
                "\\h; f",
                "[^\\H]; F",
                "\\p{Han}; 龥",
                "\\p{^Han}; a",
                "\\P{^Han}; 龥",
                "\\p{Alpha}; é",
                "[[:alpha:]]; é",
                "[[:^alpha:]]; 1",
                "[]a]{2}; a]",
                "[^]]+b; ab",
                "a{,2}b; b",
                "(?i:É); é",
                "(?i)ß; ß",
                "\\Qa; Qa",
                "[a-z&&[^b]]; c",
                "[a{]{2}; a{",
                "\\bé\\b; é",
                "(?<x>a)\\k<x>; aa",
                "'[\\]\\[]+'; '[]'",
            })
    void readsRegexesAsOnigurumaDoes(String regex, String text) {
        assertThat(finds(regex, text)).isTrue();
    }

    @Test
    void takesWhiteSpaceFromUnicode() {
        Pattern space = OnigurumaRegex.compile("\\s");
        Pattern other = OnigurumaRegex.compile("[^\\s]");
        int[] found = IntStream.rangeClosed(0, Character.MAX_CODE_POINT)
                .filter(codePoint ->
                        space.matcher(Character.toString(codePoint)).matches())
                .toArray();
        int[] expected = IntStream.of(
                        9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005,
                        0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
                .toArray();
        assertThat(found).containsExactly(expected);
        assertThat(other.matcher("\u3000").find()).isFalse();
        assertThat(other.matcher("\u200B").find()).isTrue();
    }

    @Test
    void endsLinesAtLineFeedsOnly() {
        assertThat(finds("^b", "a\nb")).isTrue();
        assertThat(finds("a$", "a\nb")).isTrue();
        assertThat(finds("^b", "a\rb")).isFalse();
        assertThat(finds("a.b", "a\rb")).isTrue();
        assertThat(finds("a.b", "a\nb")).isFalse();
        assertThat(finds("(?m:a.b)", "a\nb")).isTrue();
        assertThat(finds("\\v", "\n")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"\\Ka", "a\\", "(", "[a", "\\p{Nonsense}", "\\p", "\\p{L", "a{1,2}+", "\\g<x>", "*", "(?~a)"})
    void refusesWhatJavaCannotRun(String regex) {
        assertThatThrownBy(() -> OnigurumaRegex.compile(regex)).isInstanceOf(IllegalArgumentException.class);
    }
}

package dev.weft.grammar;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * JSON strings as expressions over bytes.
 *
 * <p>A free string may spell a character in any way that JSON knows, but halves of surrogate pairs only in pairs. Where a
 * string must have a certain content or length, every character has one spelling only, so that equal strings are equal
 * bytes: characters stand for themselves, except the quote, the backslash and controls.
 */
final class JsonStrings {
    private static final CharSet CONTROLS = CharSet.of(0, 0x1F);
    private static final CharSet ESCAPED = CONTROLS.or(CharSet.of("\"\\"));
    private static final String SHORT_NAMES = "btnfr";
    private static final String SHORT = "\b\t\n\f\r";
    private static final String DIGITS = "0123456789";

    private static final Expr HEX = Expr.anyOf(DIGITS + "abcdefABCDEF");
    private static final Expr QUOTE = Expr.oneByte('"');

    /** Any character in any spelling. */
    private static final Expr CHARACTER = new Expr.Machine(Nfa.determinise(Expr.alt(
            Utf8.oneOf(ESCAPED.complement()),
            Expr.seq(
                    Expr.oneByte('\\'),
                    Expr.alt(Expr.anyOf("\"\\/" + SHORT_NAMES), Expr.seq(Expr.oneByte('u'), hexadecimal()))))));

    /** Any character in its one spelling. */
    static final Expr CANONICAL_CHARACTER = new Expr.Machine(Nfa.determinise(oneOf(CharSet.ALL)));

    /** Any string in any spelling. */
    static final Expr FREE = quoted(new Expr.Repeat(CHARACTER, 0, Expr.UNBOUNDED));

    /** Any string in its one spelling. */
    static final Expr CANONICAL = quoted(new Expr.Repeat(CANONICAL_CHARACTER, 0, Expr.UNBOUNDED));

    private JsonStrings() {}

    /** Four digits of a character, or a pair of surrogates. */
    private static Expr hexadecimal() {
        Expr d = Expr.anyOf("dD");
        Expr plain = Expr.alt(
                Expr.seq(Expr.anyOf(DIGITS + "abcefABCEF"), HEX, HEX, HEX),
                Expr.seq(d, Expr.anyOf("01234567"), HEX, HEX));
        Expr pair = Expr.seq(d, Expr.anyOf("89abAB"), HEX, HEX, Expr.text("\\u"), d, Expr.anyOf("cdefCDEF"), HEX, HEX);
        return Expr.alt(plain, pair);
    }

    /** Content between quotes. */
    static Expr quoted(Expr content) {
        return Expr.seq(QUOTE, content, QUOTE);
    }

    /** One character of a set in its one spelling. */
    static Expr oneOf(CharSet set) {
        List<Expr> choices = new ArrayList<>();
        choices.add(Utf8.oneOf(set.without(ESCAPED)));
        for (CharSet.Range range : set.without(ESCAPED.complement()).ranges()) {
            for (int c = range.first(); c <= range.last(); c++) {
                choices.add(Expr.text(escape(c)));
            }
        }
        return new Expr.Alt(choices);
    }

    /** A string in its one spelling. @throws SchemaException if it has half a surrogate pair */
    static String quote(String text, String subject) {
        StringBuilder json = new StringBuilder("\"");
        text.codePoints().forEach(c -> {
            if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                throw new SchemaException(
                        subject + ": found a string with half a surrogate pair, expected Unicode text");
            }
            if (c < ' ' || c == '"' || c == '\\') {
                json.append(escape(c));
            } else {
                json.appendCodePoint(c);
            }
        });
        return json.append('"').toString();
    }

    private static String escape(int c) {
        if (c == '"' || c == '\\') {
            return "\\" + (char) c;
        }
        int named = SHORT.indexOf(c);
        return named >= 0
                ? "\\" + SHORT_NAMES.charAt(named)
                : "\\u" + HexFormat.of().toHexDigits((char) c);
    }
}

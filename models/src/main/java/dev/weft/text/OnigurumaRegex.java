package dev.weft.text;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Translates the Oniguruma regexes of tokenizer files to {@link java.util.regex}.
 *
 * <p>What is rewritten, because Java reads it differently:
 *
 * <ul>
 *   <li>{@code \s} is Unicode White_Space, {@code \d} is Nd, {@code \w} is Alphabetic, M, Nd and Pc, {@code \b}
 *       follows that {@code \w}; {@code \h} is a hexadecimal digit, {@code \v} the vertical tab, {@code \N} all
 *       but a line feed;
 *   <li>{@code \p{Han}} is a script or binary property, {@code \p{^L}} a negation, {@code [:alpha:]} a POSIX bracket
 *       with its Unicode meaning;
 *   <li>the line feed is the only line end, {@code ^} and {@code $} always match at lines, {@code (?m)} lets the dot
 *       match a line feed, {@code (?i)} ignores case beyond ASCII;
 *   <li>{@code {,n}} is {@code {0,n}}, a bracket that directly opens a class is a literal, and a backslash makes
 *       letters without a meaning of their own, such as {@code \Q}, literal.
 * </ul>
 *
 * <p>What stays different: categories and properties have the Unicode version of the Java runtime (16 in Java 25, as in
 * Oniguruma 6.9.10), so a character assigned later may be cut otherwise than by the reference. {@code \b} of Java also
 * counts the joiners U+200C and U+200D as word characters. Case-insensitive matching folds single characters only.
 * Syntax without counterpart is refused: {@code \K}, {@code \g}, {@code \y}, {@code \O}, {@code \C}, {@code \M},
 * absent operators, conditions, and an interval followed by a plus, which is possessive in Java but repeats in
 * Oniguruma.
 */
final class OnigurumaRegex {
    private static final String WORD = "\\p{IsAlphabetic}\\p{M}\\p{Nd}\\p{Pc}";

    /** Unicode meanings of the POSIX bracket names, as the inside of a class. */
    private static final Map<String, String> POSIX = Map.ofEntries(
            Map.entry("alnum", "\\p{IsAlphabetic}\\p{Nd}"),
            Map.entry("alpha", "\\p{IsAlphabetic}"),
            Map.entry("ascii", "\\x00-\\x7F"),
            Map.entry("blank", "\\p{Zs}\\t"),
            Map.entry("cntrl", "\\p{Cc}"),
            Map.entry("digit", "\\p{Nd}"),
            Map.entry("lower", "\\p{IsLowercase}"),
            Map.entry("punct", "\\p{P}$+<=>^`|~"),
            Map.entry("space", "\\p{IsWhite_Space}"),
            Map.entry("upper", "\\p{IsUppercase}"),
            Map.entry("word", WORD),
            Map.entry("xdigit", "0-9a-fA-F"));

    private final String regex;
    private final StringBuilder java = new StringBuilder();
    private int position;
    private int classDepth;

    private OnigurumaRegex(String regex) {
        this.regex = regex;
    }

    /**
     * Compiles a regex.
     *
     * @throws IllegalArgumentException if it is malformed or has no counterpart in Java
     */
    static Pattern compile(String regex) {
        return Pattern.compile(new OnigurumaRegex(regex).translate(), Pattern.UNIX_LINES | Pattern.MULTILINE);
    }

    private String translate() {
        while (position < regex.length()) {
            char character = regex.charAt(position++);
            switch (character) {
                case '\\' -> escape();
                case '[' -> openClass();
                case ']' -> closeClass();
                case '(' -> group();
                case '{' -> interval();
                default -> java.append(character);
            }
        }
        return java.toString();
    }

    private void escape() {
        if (position == regex.length()) {
            throw new IllegalArgumentException("a backslash at the end");
        }
        char letter = regex.charAt(position++);
        switch (letter) {
            case 's' -> java.append("\\p{IsWhite_Space}");
            case 'S' -> java.append("\\P{IsWhite_Space}");
            case 'd' -> java.append("\\p{Nd}");
            case 'D' -> java.append("\\P{Nd}");
            case 'w' -> set(WORD, false);
            case 'W' -> set(WORD, true);
            case 'h' -> set("0-9a-fA-F", false);
            case 'H' -> set("0-9a-fA-F", true);
            case 'N' -> set("\\n", true);
            case 'v' -> java.append("\\x0B");
            case 'b', 'B' -> java.append(classDepth > 0 ? "\\x08" : "(?U:\\" + letter + ")");
            case 'p', 'P' -> property(letter == 'P');
            case 'K', 'g', 'y', 'Y', 'O', 'C', 'M' ->
                throw new IllegalArgumentException("\\" + letter + " has no counterpart in Java");
            default -> {
                boolean isLetter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
                if (!isLetter || "tnrfaexuckAzZGRX".indexOf(letter) >= 0) {
                    java.append('\\');
                }
                java.append(letter);
            }
        }
    }

    private void property(boolean negated) {
        int close = regex.indexOf('}', position);
        if (close < 0 || regex.charAt(position) != '{') {
            throw new IllegalArgumentException("\\p without a name in braces");
        }
        String name = regex.substring(position + 1, close);
        position = close + 1;
        boolean caret = name.startsWith("^");
        String plain = caret ? name.substring(1) : name;
        String posix = POSIX.get(plain.toLowerCase(Locale.ROOT));
        if (posix != null) {
            set(posix, negated != caret);
        } else {
            java.append(negated != caret ? "\\P{" : "\\p{")
                    .append(plain.length() <= 2 ? "" : "Is")
                    .append(plain)
                    .append('}');
        }
    }

    private void set(String content, boolean negated) {
        if (classDepth > 0 && !negated) {
            java.append(content);
        } else {
            java.append(negated ? "[^" : "[").append(content).append(']');
        }
    }

    private void openClass() {
        if (classDepth > 0 && regex.startsWith(":", position)) {
            int close = regex.indexOf(":]", position + 1);
            boolean caret = regex.startsWith("^", position + 1);
            String name = close < 0 ? "" : regex.substring(position + (caret ? 2 : 1), close);
            String posix = POSIX.get(name);
            if (posix != null) {
                set(posix, caret);
                position = close + 2;
                return;
            }
        }
        classDepth++;
        java.append('[');
        if (regex.startsWith("^", position)) {
            java.append('^');
            position++;
        }
        if (regex.startsWith("]", position)) {
            java.append("\\]");
            position++;
        }
    }

    private void closeClass() {
        java.append(classDepth > 0 ? "]" : "\\]");
        classDepth = Math.max(0, classDepth - 1);
    }

    private void group() {
        java.append('(');
        if (classDepth > 0 || !regex.startsWith("?", position)) {
            return;
        }
        int end = position + 1;
        while (end < regex.length() && "imx-".indexOf(regex.charAt(end)) >= 0) {
            end++;
        }
        boolean flags = end < regex.length() && (regex.charAt(end) == ':' || regex.charAt(end) == ')');
        if (flags && end > position + 1) {
            java.append('?')
                    .append(regex.substring(position + 1, end)
                            .replace("i", "iu")
                            .replace('m', 's'));
            position = end;
        }
    }

    private void interval() {
        if (classDepth > 0) {
            java.append("\\{");
            return;
        }
        java.append('{');
        if (regex.startsWith(",", position)) {
            java.append('0');
        }
        int close = regex.indexOf('}', position);
        if (close >= 0 && regex.startsWith("+", close + 1)) {
            throw new IllegalArgumentException("an interval followed by + means something else in Java");
        }
    }
}

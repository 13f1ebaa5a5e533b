package dev.weft.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Finds the texts in a Python source that could be constant texts of the prompt format, without running it: every string
 * literal, neighbours joined as Python joins them, placeholders such as {@code {dsml_token}} replaced, and cut at the
 * placeholders that stand for something else. Too many candidates do no harm, for each is verified by its hash.
 */
final class PythonTemplates {
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{\\{|}}|\\{(\\w*)}");

    private final String source;
    private final List<String> candidates = new ArrayList<>();
    private int position;

    private PythonTemplates(String source) {
        this.source = source;
    }

    static List<String> candidates(String source) {
        PythonTemplates scan = new PythonTemplates(source);
        scan.run();
        return scan.candidates;
    }

    private void run() {
        StringBuilder joined = new StringBuilder();
        int parts = 0;
        while (position < source.length()) {
            char c = source.charAt(position);
            if (c == '"' || c == '\'') {
                String literal = literal(isRaw(position));
                addAll(literal);
                joined.append(literal);
                parts++;
            } else if (c == '#') {
                skipLine();
            } else {
                // only blanks and prefixes of literals may stand between literals that Python joins
                if (!Character.isWhitespace(c) && c != '\\' && !startsPrefix(position)) {
                    if (parts > 1) {
                        addAll(joined.toString());
                    }
                    joined.setLength(0);
                    parts = 0;
                }
                position++;
            }
        }
        if (parts > 1) {
            addAll(joined.toString());
        }
    }

    private void skipLine() {
        int end = source.indexOf('\n', position);
        position = end < 0 ? source.length() : end;
    }

    /** Whether letters such as {@code rb} lead to a quote. */
    private boolean startsPrefix(int from) {
        for (int i = from; i < Math.min(from + 3, source.length()); i++) {
            char c = source.charAt(i);
            if (c == '"' || c == '\'') {
                return i > from;
            }
            if ("rRbBuUfF".indexOf(c) < 0) {
                return false;
            }
        }
        return false;
    }

    private boolean isRaw(int quote) {
        for (int i = quote - 1; i >= Math.max(0, quote - 2) && Character.isLetter(source.charAt(i)); i--) {
            if (source.charAt(i) == 'r' || source.charAt(i) == 'R') {
                return true;
            }
        }
        return false;
    }

    /** The value of the literal whose quote is here; the position is then behind it. */
    private String literal(boolean raw) {
        String one = source.substring(position, position + 1);
        String quote = source.startsWith(one.repeat(3), position) ? one.repeat(3) : one;
        position += quote.length();
        StringBuilder value = new StringBuilder();
        while (position < source.length() && !source.startsWith(quote, position)) {
            char c = source.charAt(position++);
            if (c == '\n' && quote.length() == 1) {
                break; // an unclosed literal: not Python, so leave it
            }
            if (c == '\\' && position < source.length()) {
                escape(raw, value);
            } else {
                value.append(c);
            }
        }
        position = Math.min(source.length(), position + quote.length());
        return value.toString();
    }

    /** What stands behind a backslash. */
    private void escape(boolean raw, StringBuilder value) {
        char c = source.charAt(position++);
        if (raw) {
            value.append('\\').append(c);
            return;
        }
        switch (c) {
            case '\n' -> {} // the line goes on
            case 'n' -> value.append('\n');
            case 't' -> value.append('\t');
            case 'r' -> value.append('\r');
            case '\\', '\'', '"' -> value.append(c);
            case 'x' -> codePoint(2, value);
            case 'u' -> codePoint(4, value);
            case 'U' -> codePoint(8, value);
            default -> value.append('\\').append(c);
        }
    }

    private void codePoint(int digits, StringBuilder value) {
        int end = Math.min(source.length(), position + digits);
        try {
            value.appendCodePoint(Integer.parseInt(source, position, end, 16));
            position = end;
        } catch (IllegalArgumentException e) {
            value.append('\\'); // not an escape after all; no text of the format has such a thing
        }
    }

    /** The literal as it is, and as a template. */
    private void addAll(String literal) {
        candidates.add(literal);
        StringBuilder piece = new StringBuilder();
        Matcher placeholder = PLACEHOLDER.matcher(literal);
        int end = 0;
        while (placeholder.find()) {
            piece.append(literal, end, placeholder.start());
            end = placeholder.end();
            String replacement = replacement(placeholder);
            if (replacement.isEmpty()) {
                candidates.add(piece.toString());
                piece.setLength(0);
            }
            piece.append(replacement);
        }
        if (end > 0) {
            candidates.add(piece.append(literal, end, literal.length()).toString());
        }
    }

    /** Empty if the placeholder stands for something that varies. */
    private static String replacement(Matcher placeholder) {
        if (placeholder.group(1) == null) {
            return placeholder.group().substring(1); // a doubled brace is one brace
        }
        String name = placeholder.group(1).toLowerCase(Locale.ROOT);
        if (name.contains("dsml")) {
            return SpecialTokens.DSML;
        }
        if (name.contains("think")) {
            return name.contains("end") ? SpecialTokens.END_THINK : SpecialTokens.THINK;
        }
        return "";
    }
}

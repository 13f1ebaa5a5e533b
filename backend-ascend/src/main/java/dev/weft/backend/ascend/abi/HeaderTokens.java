package dev.weft.backend.ascend.abi;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Splits the text of a C header into words and punctuation. Comments, string contents and preprocessor lines are gone;
 * text under {@code #if 0} too. Of other conditions both branches stay, so that a declaration is seen wherever it is.
 */
final class HeaderTokens {
    /** Stands for a string or character literal. */
    static final String LITERAL = "\"\"";

    private static final String[] PUNCTUATION =
            IntStream.range(0, 128).mapToObj(c -> String.valueOf((char) c)).toArray(String[]::new);

    private final String text;
    private final List<String> tokens = new ArrayList<>();
    private int at;

    private HeaderTokens(String text) {
        this.text = text;
    }

    /** Tokens of {@code text}; never fails, unknown characters are tokens of their own. */
    static List<String> of(String text) {
        HeaderTokens lexer = new HeaderTokens(text);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        boolean lineStart = true;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '\n') {
                lineStart = true;
                at++;
            } else if (Character.isWhitespace(c) || c == '\\') {
                at++;
            } else if (c == '/' && comment()) {
                continue;
            } else if (c == '#' && lineStart) {
                directive();
            } else {
                lineStart = false;
                token(c);
            }
        }
    }

    private void token(char c) {
        if (Character.isJavaIdentifierStart(c)) {
            int start = at;
            while (at < text.length() && Character.isJavaIdentifierPart(text.charAt(at))) {
                at++;
            }
            tokens.add(text.substring(start, at));
        } else if (c == '"' || c == '\'') {
            literal(c);
        } else if (Character.isDigit(c)) {
            while (at < text.length() && isNumberPart(text.charAt(at))) {
                at++;
            }
            tokens.add("0"); // no value matters: defaults and array extents are not part of a signature
        } else {
            tokens.add(c < PUNCTUATION.length ? PUNCTUATION[c] : String.valueOf(c));
            at++;
        }
    }

    private static boolean isNumberPart(char c) {
        return Character.isLetterOrDigit(c) || c == '.';
    }

    /** Skips a comment at the current slash, if it is one. */
    private boolean comment() {
        if (text.startsWith("//", at)) {
            at = lineEnd(at);
            return true;
        }
        if (text.startsWith("/*", at)) {
            int end = text.indexOf("*/", at + 2);
            at = end < 0 ? text.length() : end + 2;
            return true;
        }
        return false;
    }

    private void literal(char quote) {
        at++;
        while (at < text.length() && text.charAt(at) != quote && text.charAt(at) != '\n') {
            at += text.charAt(at) == '\\' ? 2 : 1;
        }
        at = Math.min(at + 1, text.length());
        tokens.add(LITERAL);
    }

    private void directive() {
        int end = lineEnd(at);
        boolean never = text.substring(at, end).matches("#\\s*if\\s+0\\s*(/.*)?");
        at = end;
        if (never) {
            skipBranch();
        }
    }

    /** Skips to the line after the {@code #else}, {@code #elif} or {@code #endif} that ends the current branch. */
    private void skipBranch() {
        int depth = 1;
        while (at < text.length() && depth > 0) {
            int end = lineEnd(at);
            String line = text.substring(at, end).strip().replaceFirst("^#\\s+", "#");
            if (line.startsWith("#if")) {
                depth++;
            } else if (line.startsWith("#endif") || depth == 1 && line.startsWith("#el")) {
                depth--;
            }
            at = Math.min(end + 1, text.length());
        }
    }

    /** Index of the line break that ends the logical line, continuation lines included. */
    private int lineEnd(int from) {
        int end = text.indexOf('\n', from);
        while (end > from && continued(end)) {
            end = text.indexOf('\n', end + 1);
        }
        return end < 0 ? text.length() : end;
    }

    private boolean continued(int lineBreak) {
        int last = lineBreak - 1;
        return text.charAt(last) == '\\' || text.charAt(last) == '\r' && last > 0 && text.charAt(last - 1) == '\\';
    }
}

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The words of a PTX text, without comments. */
final class PtxLexer {
    /** A name with its dots, a number, a string or one punctuation mark. */
    record Token(String text, int line) {}

    private static final Pattern TOKEN = Pattern.compile("\\s+|//.*|(\"[^\"]*\"|(?:[\\w.%$]|::)+|\\S)");

    private final List<Token> tokens = new ArrayList<>();
    private int at;

    PtxLexer(List<String> lines) {
        for (int i = 0; i < lines.size(); i++) {
            Matcher m = TOKEN.matcher(lines.get(i));
            while (m.lookingAt()) {
                if (m.group(1) != null) {
                    tokens.add(new Token(m.group(1), i + 1));
                }
                m.region(m.end(), lines.get(i).length());
            }
        }
    }

    boolean isAtEnd() {
        return at == tokens.size();
    }

    Token peek() {
        return isAtEnd() ? new Token("", tokens.isEmpty() ? 1 : tokens.getLast().line()) : tokens.get(at);
    }

    String next() {
        Token token = peek();
        if (isAtEnd()) {
            throw error("the text ends within a statement");
        }
        at++;
        return token.text();
    }

    boolean accept(String text) {
        boolean isIt = !isAtEnd() && peek().text().equals(text);
        if (isIt) {
            at++;
        }
        return isIt;
    }

    void expect(String text) {
        if (!accept(text)) {
            throw error("found " + peek().text() + ", expected " + text);
        }
    }

    int number() {
        try {
            return Integer.parseInt(next());
        } catch (NumberFormatException e) {
            at--;
            throw error("found " + peek().text() + ", expected a number");
        }
    }

    PtxException error(String what) {
        return new PtxException(peek().line(), what);
    }
}

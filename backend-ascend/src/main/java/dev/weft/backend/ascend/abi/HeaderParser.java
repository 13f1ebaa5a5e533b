package dev.weft.backend.ascend.abi;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Finds function declarations and type aliases in a C header. It is not a compiler: it sees statements at file level,
 * inside {@code extern "C"} and namespaces, and reads those that declare a wanted function or an alias. Macros that
 * expand to attributes ({@code ACL_FUNC_VISIBILITY}, {@code __attribute__((...))}, deprecation notes) are recognised by
 * their place and upper case and dropped.
 */
final class HeaderParser {
    /** Stands in a statement for the body of a struct, union or enum. */
    private static final String BODY = "{}";

    private static final Set<String> SPECIFIERS = Set.of("extern", "static", "inline", "constexpr", "virtual");
    private static final Set<String> TYPE_WORDS = Set.of(
            "void", "bool", "_Bool", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "size_t");

    private final List<String> tokens;
    private final Set<String> wanted;
    private final List<HeaderDeclaration> declarations = new ArrayList<>();
    private final Map<String, CTypeName> aliases = new HashMap<>();
    private int at;

    private HeaderParser(List<String> tokens, Set<String> wanted) {
        this.tokens = tokens;
        this.wanted = wanted;
    }

    /**
     * What a header says.
     *
     * @param declarations of wanted functions, one for each time it is declared
     * @param aliases target of each {@code typedef} and {@code using} that names another type
     */
    record Contents(List<HeaderDeclaration> declarations, Map<String, CTypeName> aliases) {}

    /** Reads a header's text, keeping the declarations of functions in {@code wanted}. */
    static Contents parse(String text, Set<String> wanted) {
        HeaderParser parser = new HeaderParser(HeaderTokens.of(text), wanted);
        parser.statements();
        return new Contents(parser.declarations, parser.aliases);
    }

    private void statements() {
        List<String> statement = new ArrayList<>();
        int parentheses = 0;
        while (at < tokens.size()) {
            String token = tokens.get(at++);
            switch (token) {
                case "(" -> parentheses++;
                case ")" -> parentheses--;
                default -> {}
            }
            if (parentheses > 0) {
                statement.add(token);
            } else if (token.equals(";")) {
                statement(statement);
                statement = new ArrayList<>();
            } else if (token.equals("{")) {
                statement = block(statement);
            } else if (!token.equals("}")) { // the end of a transparent block
                statement.add(token);
            }
        }
    }

    /** A brace at file level: goes into linkage and namespace blocks, over all others. Returns the open statement. */
    private List<String> block(List<String> statement) {
        if (isTransparent(statement)) {
            return new ArrayList<>();
        }
        skipBody();
        String first = statement.stream()
                .filter(t -> !SPECIFIERS.contains(t))
                .findFirst()
                .orElse("");
        if (Set.of("typedef", "struct", "union", "enum", "class").contains(first)) {
            statement.add(BODY); // a declarator or a semicolon follows
            return statement;
        }
        statement(statement); // a function with a body declares it too
        return new ArrayList<>();
    }

    private static boolean isTransparent(List<String> statement) {
        boolean linkage = statement.size() == 2
                && statement.get(0).equals("extern")
                && statement.get(1).equals(HeaderTokens.LITERAL);
        return linkage || statement.contains("namespace");
    }

    private void skipBody() {
        int depth = 1;
        while (at < tokens.size() && depth > 0) {
            switch (tokens.get(at++)) {
                case "{" -> depth++;
                case "}" -> depth--;
                default -> {}
            }
        }
    }

    private void statement(List<String> statement) {
        if (statement.isEmpty()) {
            return;
        }
        if (statement.getFirst().equals("typedef")) {
            typedef(statement.subList(1, statement.size()));
        } else if (statement.getFirst().equals("using") && statement.indexOf("=") == 2) {
            alias(statement.get(1), CTypeName.of(statement.subList(3, statement.size())));
        } else if (statement.getFirst().equals("enum") && statement.contains(":") && statement.contains(BODY)) {
            alias(statement.get(statement.indexOf(":") - 1), underlying(statement));
        } else {
            function(statement);
        }
    }

    private void typedef(List<String> words) {
        if (words.contains("(")) {
            return; // a function pointer: its name stays opaque
        }
        if (words.contains(":")) {
            alias(words.getLast(), underlying(words));
            return;
        }
        List<List<String>> declarators = split(words);
        List<String> first = declarators.getFirst();
        int nameAt = lastIdentifier(first);
        if (nameAt <= 0) {
            return;
        }
        int starsAt = nameAt;
        while (starsAt > 0
                && !isIdentifier(first.get(starsAt - 1))
                && !first.get(starsAt - 1).equals(BODY)) {
            starsAt--;
        }
        List<String> base =
                first.subList(0, starsAt).stream().filter(w -> !w.equals(BODY)).toList();
        boolean defines = words.contains(BODY);
        List<List<String>> names = new ArrayList<>(declarators);
        names.set(0, first.subList(starsAt, first.size()));
        for (List<String> declarator : names) {
            int name = lastIdentifier(declarator);
            boolean direct = name == 0;
            if (name >= 0 && !declarator.contains("[") && !(defines && direct)) {
                List<String> type = new ArrayList<>(base);
                type.addAll(declarator.subList(0, name));
                alias(declarator.get(name), CTypeName.of(type));
            }
        }
    }

    /** Type behind the colon of {@code enum Name : type {...}}. */
    private static CTypeName underlying(List<String> words) {
        int body = words.indexOf(BODY);
        return CTypeName.of(words.subList(words.indexOf(":") + 1, body < 0 ? words.size() : body));
    }

    private void alias(String name, CTypeName target) {
        if (!target.base().equals(name) && !target.base().isEmpty()) {
            aliases.putIfAbsent(name, target);
        }
    }

    /** A statement that may declare a wanted function: {@code attributes result NAME ( parameters ) attributes}. */
    private void function(List<String> statement) {
        for (int i = 1; i + 1 < statement.size(); i++) {
            if (statement.get(i + 1).equals("(") && wanted.contains(statement.get(i))) {
                int close = closing(statement, i + 1);
                if (close > 0) {
                    CTypeName result = CTypeName.of(undecorated(statement.subList(0, i)));
                    if (!result.base().isEmpty()) { // else a call inside something unknown
                        declarations.add(new HeaderDeclaration(
                                statement.get(i), result, parameters(statement.subList(i + 2, close))));
                    }
                }
                return;
            }
        }
    }

    private static List<HeaderDeclaration.Parameter> parameters(List<String> list) {
        if (list.isEmpty() || list.equals(List.of("void"))) {
            return List.of();
        }
        return split(list).stream().map(HeaderParser::parameter).toList();
    }

    private static HeaderDeclaration.Parameter parameter(List<String> declared) {
        int initial = declared.indexOf("=");
        List<String> words = undecorated(initial < 0 ? declared : declared.subList(0, initial));
        if (words.contains("(")) {
            // an inline function pointer; no function of the table has one, so that it differs from whatever is there
            return new HeaderDeclaration.Parameter(new CTypeName("function", 1), String.join(" ", words), "");
        }
        int arrays = (int) words.stream().filter("["::equals).count();
        List<String> plain = arrays == 0 ? words : words.subList(0, words.indexOf("["));
        int name = nameIndex(plain);
        List<String> type = name < 0 ? plain : plain.subList(0, name);
        return new HeaderDeclaration.Parameter(
                CTypeName.of(type).pointer(arrays),
                spelled(type) + "*".repeat(arrays),
                name < 0 ? "" : plain.get(name));
    }

    /** Where the parameter's name is, -1 if it has none. */
    private static int nameIndex(List<String> words) {
        int last = words.size() - 1;
        if (last < 1 || !isIdentifier(words.get(last)) || TYPE_WORDS.contains(words.get(last))) {
            return -1;
        }
        boolean typeBefore =
                words.subList(0, last).stream().anyMatch(w -> isIdentifier(w) && !CTypeName.isQualifier(w));
        return typeBefore && !CTypeName.isQualifier(words.get(last)) ? last : -1;
    }

    private static String spelled(List<String> type) {
        return String.join(" ", type).replace(" *", "*");
    }

    /** Without storage classes, attributes and macros: upper-case words, and any word with an argument list. */
    private static List<String> undecorated(List<String> words) {
        List<String> kept = new ArrayList<>();
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            boolean called = i + 1 < words.size() && words.get(i + 1).equals("(");
            if (called && isIdentifier(word) && (isMacro(word) || word.startsWith("__"))) {
                i = Math.max(closing(words, i + 1), i);
            } else if (word.equals("[")
                    && i + 1 < words.size()
                    && words.get(i + 1).equals("[")) {
                i = Math.max(closing(words, i), i); // [[attribute]]
            } else if (word.equals("std") || word.equals(":")) {
                continue;
            } else if (!SPECIFIERS.contains(word)
                    && !word.equals(HeaderTokens.LITERAL)
                    && !isMacro(word)
                    && !word.startsWith("__")) {
                kept.add(word);
            }
        }
        return kept;
    }

    private static boolean isMacro(String word) {
        return word.length() > 1 && isIdentifier(word) && word.equals(word.toUpperCase(Locale.ROOT));
    }

    /** Splits at commas outside brackets. */
    private static List<List<String>> split(List<String> list) {
        List<List<String>> parts = new ArrayList<>();
        int depth = 0;
        int start = 0;
        for (int i = 0; i < list.size(); i++) {
            switch (list.get(i)) {
                case "(", "[", "{" -> depth++;
                case ")", "]", "}" -> depth--;
                case "," -> {
                    if (depth == 0) {
                        parts.add(list.subList(start, i));
                        start = i + 1;
                    }
                }
                default -> {}
            }
        }
        parts.add(list.subList(start, list.size()));
        return parts;
    }

    /** Index of the bracket that closes the one at {@code open}, -1 if none does. */
    private static int closing(List<String> words, int open) {
        String opening = words.get(open);
        String closing = opening.equals("(") ? ")" : "]";
        int depth = 0;
        for (int i = open; i < words.size(); i++) {
            if (words.get(i).equals(opening)) {
                depth++;
            } else if (words.get(i).equals(closing) && --depth == 0) {
                return i;
            }
        }
        return -1;
    }

    private static int lastIdentifier(List<String> words) {
        int bracket = words.indexOf("[");
        for (int i = (bracket < 0 ? words.size() : bracket) - 1; i >= 0; i--) {
            if (isIdentifier(words.get(i))) {
                return i;
            }
        }
        return -1;
    }

    private static boolean isIdentifier(String word) {
        return Character.isJavaIdentifierStart(word.charAt(0));
    }
}

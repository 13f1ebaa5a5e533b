package dev.weft.backend.ascend.abi;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A C type as a name and a number of stars: {@code const aclTensor *const *} is {@code aclTensor} with two. Qualifiers
 * are dropped, since no C ABI passes a {@code const} argument differently.
 *
 * @param base one identifier or several words as in {@code unsigned long}
 * @param pointers levels of indirection; an array parameter counts as one
 */
record CTypeName(String base, int pointers) {
    private static final Set<String> QUALIFIERS =
            Set.of("const", "volatile", "restrict", "__restrict", "__restrict__", "struct", "enum", "union", "class");

    /** Type of a table cell, as in {@code const size_t} or {@code aclOpExecutor**}. */
    static CTypeName parse(String text) {
        List<String> tokens = new ArrayList<>();
        for (String word : text.replace("*", " * ").trim().split("\\s+")) {
            tokens.add(word);
        }
        return of(tokens);
    }

    /** Type of a sequence of words and stars. */
    static CTypeName of(List<String> tokens) {
        StringBuilder base = new StringBuilder();
        int pointers = 0;
        for (String token : tokens) {
            if (token.equals("*") || token.equals("&")) {
                pointers++;
            } else if (!isQualifier(token)) {
                base.append(base.isEmpty() ? "" : " ").append(token);
            }
        }
        return new CTypeName(base.toString(), pointers);
    }

    static boolean isQualifier(String token) {
        return QUALIFIERS.contains(token);
    }

    /** This type with {@code levels} more stars. */
    CTypeName pointer(int levels) {
        return levels == 0 ? this : new CTypeName(base, pointers + levels);
    }

    @Override
    public String toString() {
        return base + "*".repeat(pointers);
    }
}

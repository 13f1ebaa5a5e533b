package dev.weft.text;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/** Finds added tokens in text: the leftmost one, and of those that start there the longest. */
final class AddedTokens {
    private static final int NO_ID = -1;

    private final Node root = new Node();
    private final BitSet firstCharacters = new BitSet();

    AddedTokens(Map<String, Integer> ids) {
        ids.forEach(this::add);
    }

    /** What {@link #cut} finds, in the order of the text. */
    interface Visitor {
        /** Ordinary text, not empty. */
        void text(String text);

        /** An added token. */
        void token(int id);
    }

    void cut(String text, Visitor visitor) {
        int textStart = 0;
        int position = 0;
        while (position < text.length()) {
            Match match = firstCharacters.get(text.charAt(position)) ? longest(text, position) : Match.NONE;
            if (match.id() == NO_ID) {
                position++;
                continue;
            }
            if (position > textStart) {
                visitor.text(text.substring(textStart, position));
            }
            visitor.token(match.id());
            position = match.end();
            textStart = position;
        }
        if (textStart < text.length()) {
            visitor.text(text.substring(textStart));
        }
    }

    private Match longest(String text, int start) {
        Match longest = Match.NONE;
        Node node = root;
        for (int i = start; i < text.length(); i++) {
            node = node.children.getOrDefault(text.charAt(i), Node.ABSENT);
            if (node == Node.ABSENT) {
                break;
            }
            if (node.id != NO_ID) {
                longest = new Match(node.id, i + 1);
            }
        }
        return longest;
    }

    private void add(String token, int id) {
        firstCharacters.set(token.charAt(0));
        Node node = root;
        for (int i = 0; i < token.length(); i++) {
            node = node.children.computeIfAbsent(token.charAt(i), character -> new Node());
        }
        node.id = id;
    }

    private record Match(int id, int end) {
        static final Match NONE = new Match(NO_ID, 0);
    }

    private static final class Node {
        static final Node ABSENT = new Node();

        final Map<Character, Node> children = new HashMap<>();
        int id = NO_ID;
    }
}

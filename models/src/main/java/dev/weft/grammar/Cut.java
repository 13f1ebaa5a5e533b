package dev.weft.grammar;

import java.util.List;

/**
 * What the tokens do that start, or go on, in a state.
 *
 * @param groups tokens that end within the rule of the state or in rules it calls, by ascending change of the distance
 * @param leaving where in the tree of tokens the rule may be at its end while tokens go on
 */
record Cut(List<Group> groups, Places leaving) {
    /**
     * Tokens after which the end is equally far.
     *
     * @param farther how many tokens farther than from the state, negative if nearer
     * @param tokens the tokens
     */
    record Group(int farther, TokenSet tokens) {}

    /**
     * Nodes of the tree of tokens.
     *
     * @param id a number for these nodes and no others
     * @param nodes ascending
     */
    record Places(int id, int[] nodes) {
        /** Before the first byte of a token. */
        static final Places START = new Places(0, new int[] {0});

        boolean isEmpty() {
            return nodes.length == 0;
        }
    }

    long memory() {
        long bytes = 64 + (long) leaving.nodes.length * Integer.BYTES;
        for (Group group : groups) {
            bytes += 64 + group.tokens.memory();
        }
        return bytes;
    }
}

package dev.weft.grammar;

/**
 * How many tokens complete a rule from each of its states: those that the vocabulary needs for the shortest completion in
 * bytes, cut where rules begin and end. Tokens that reach over such a place might save one, so these are upper bounds;
 * what counts is that from every state some token leads to a lesser one.
 */
final class TokenDistances {
    /** So that sums do not overflow. */
    static final int MOST = 1 << 28;

    private TokenDistances() {}

    static int[] of(Automaton automaton, TokenTrie trie) {
        Dfa table = automaton.table();
        int[] tokens = new int[table.states()];
        for (int s : automaton.order()) {
            int move = automaton.move(s);
            if (Automaton.isCall(move)) {
                int call = Automaton.call(move);
                tokens[s] = Math.min(MOST, tokens[automaton.entry(table.rule(call))] + tokens[table.returnState(call)]);
            } else if (move != Automaton.STOP) {
                tokens[s] = alongBytes(automaton, trie, s, tokens);
            }
        }
        return tokens;
    }

    private static int alongBytes(Automaton automaton, TokenTrie trie, int from, int[] tokens) {
        int best = MOST;
        int node = 0;
        int move = automaton.move(from);
        while (move > Automaton.STOP) {
            node = trie.child(node, automaton.table().low(move));
            if (node == TokenTrie.NO_NODE) {
                break;
            }
            int to = automaton.table().target(move);
            if (trie.hasToken(node)) {
                best = Math.min(best, tokens[to] + 1);
            }
            move = automaton.move(to);
        }
        return best;
    }
}

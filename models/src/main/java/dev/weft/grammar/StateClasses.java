package dev.weft.grammar;

import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * States that no token can tell apart. Bounds of lengths make long chains of states that differ only in what may come
 * after hundreds of bytes; a token has few, so what is known of one such state holds for all.
 *
 * <p>States start as one class. In each of as many rounds as the longest token has bytes, classes are split by what their
 * states read, where it leads and how much farther from the end that is.
 */
final class StateClasses {
    private StateClasses() {}

    /**
     * The class of every state.
     *
     * @param distances to the end of the rule, of every state
     * @param bytes of the longest token
     */
    static int[] of(Automaton automaton, int[] distances, int bytes) {
        int[] classes = new int[automaton.table().states()];
        // calls read nothing: the first states of the rules they call must be classified before, in the same round
        int[] order = IntStream.range(0, classes.length)
                .boxed()
                .sorted(Comparator.comparingInt(automaton::nesting))
                .mapToInt(s -> s)
                .toArray();
        int count = 1;
        for (int round = 0; round <= bytes; round++) {
            Map<IntKey, Integer> ids = new HashMap<>();
            int[] split = new int[classes.length];
            for (int s : order) {
                IntKey key = new IntKey(signature(automaton, distances, classes, split, s));
                Integer known = ids.putIfAbsent(key, ids.size());
                split[s] = known == null ? ids.size() - 1 : known;
            }
            classes = split;
            if (ids.size() == count) {
                break;
            }
            count = ids.size();
        }
        return classes;
    }

    private static int[] signature(Automaton automaton, int[] distances, int[] before, int[] now, int s) {
        Dfa table = automaton.table();
        int edges = table.firstEdge(s + 1) - table.firstEdge(s);
        int calls = table.firstCall(s + 1) - table.firstCall(s);
        int[] signature = new int[2 + 3 * (edges + calls)];
        signature[0] = before[s];
        signature[1] = 2 * edges + (table.isAccepting(s) ? 1 : 0);
        int n = 2;
        for (int e = table.firstEdge(s); e < table.firstEdge(s + 1); e++) {
            signature[n++] = table.low(e) << 8 | table.high(e);
            signature[n++] = before[table.target(e)];
            signature[n++] = distances[table.target(e)] - distances[s];
        }
        for (int c = table.firstCall(s); c < table.firstCall(s + 1); c++) {
            int entry = automaton.entry(table.rule(c));
            signature[n++] = now[entry];
            signature[n++] = before[table.returnState(c)];
            signature[n++] = distances[entry] + distances[table.returnState(c)] - distances[s];
        }
        return signature;
    }
}

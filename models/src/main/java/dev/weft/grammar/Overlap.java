package dev.weft.grammar;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Finds out whether a text may be of two forms at once. */
final class Overlap {
    private final List<Dfa> rules;
    private final Work work;
    private final Map<Integer, BitSet> firstBytes = new HashMap<>();

    Overlap(List<Dfa> rules, Work work) {
        this.rules = rules;
        this.work = work;
    }

    /** The automaton of an expression; a mere reference is followed. */
    Dfa automaton(Expr expr) {
        Dfa dfa = expr instanceof Expr.Call(int rule) ? rules.get(rule) : Nfa.determinise(expr, work);
        while (dfa.edges() == 0 && dfa.firstCall(dfa.states()) == 1 && !dfa.isAccepting(0)) {
            dfa = rules.get(dfa.rule(0));
        }
        return dfa;
    }

    /**
     * Whether it is certain that no text is of both forms. Where both call different rules that can begin alike, it is not
     * followed further.
     */
    boolean excluded(Dfa a, Dfa b) {
        record Pair(int a, int b) {}
        Set<Pair> seen = new HashSet<>();
        Deque<Pair> pending = new ArrayDeque<>();
        pending.add(new Pair(0, 0));
        while (!pending.isEmpty()) {
            Pair at = pending.removeFirst();
            if (!seen.add(at)) {
                continue;
            }
            if ((a.isAccepting(at.a) && b.isAccepting(at.b)) || undecided(a, at.a, b, at.b)) {
                return false;
            }
            work.count(256);
            for (int value = 0; value < 256; value++) {
                int nextA = a.next(at.a, value);
                int nextB = b.next(at.b, value);
                if (nextA != Dfa.NO_STATE && nextB != Dfa.NO_STATE) {
                    pending.add(new Pair(nextA, nextB));
                }
            }
            for (int i = a.firstCall(at.a); i < a.firstCall(at.a + 1); i++) {
                for (int j = b.firstCall(at.b); j < b.firstCall(at.b + 1); j++) {
                    if (a.rule(i) == b.rule(j)) {
                        pending.add(new Pair(a.returnState(i), b.returnState(j)));
                    }
                }
            }
        }
        return true;
    }

    /** Whether a call of one may read the same bytes as an edge, or the call of another rule, of the other. */
    private boolean undecided(Dfa a, int stateA, Dfa b, int stateB) {
        if (!a.hasCalls(stateA) && !b.hasCalls(stateB)) {
            return false;
        }
        BitSet edgesA = edges(a, stateA);
        BitSet edgesB = edges(b, stateB);
        for (int i = a.firstCall(stateA); i < a.firstCall(stateA + 1); i++) {
            BitSet first = first(a.rule(i));
            if (first.intersects(edgesB)) {
                return true;
            }
            for (int j = b.firstCall(stateB); j < b.firstCall(stateB + 1); j++) {
                if (a.rule(i) != b.rule(j) && first.intersects(first(b.rule(j)))) {
                    return true;
                }
            }
        }
        for (int j = b.firstCall(stateB); j < b.firstCall(stateB + 1); j++) {
            if (first(b.rule(j)).intersects(edgesA)) {
                return true;
            }
        }
        return false;
    }

    private static BitSet edges(Dfa dfa, int state) {
        BitSet bytes = new BitSet();
        for (int e = dfa.firstEdge(state); e < dfa.firstEdge(state + 1); e++) {
            bytes.set(dfa.low(e), dfa.high(e) + 1);
        }
        return bytes;
    }

    /** The bytes with which texts of a rule begin. */
    private BitSet first(int rule) {
        BitSet known = firstBytes.get(rule);
        if (known != null) {
            return known;
        }
        Dfa dfa = rules.get(rule);
        BitSet bytes = edges(dfa, 0);
        for (int c = dfa.firstCall(0); c < dfa.firstCall(1); c++) {
            bytes.or(first(dfa.rule(c)));
        }
        firstBytes.put(rule, bytes);
        return bytes;
    }
}

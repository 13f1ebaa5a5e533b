package dev.weft.grammar;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Thompson's automaton of an expression, and the way from it to a deterministic one. */
final class Nfa {
    private static final int NO_EDGE = -1;

    /** What an edge reads: nothing, or from {@code low} to {@code high}; calls of rules lie above the bytes. */
    private static final int EPSILON = -1;

    private static final int FIRST_CALL = 256;

    private final Ints firstEdge = new Ints();
    private final Ints nextEdge = new Ints();
    private final Ints low = new Ints();
    private final Ints high = new Ints();
    private final Ints target = new Ints();
    private final int end;
    private int parts;

    private Nfa(Expr expr) {
        end = append(expr, state());
    }

    /** The deterministic automaton of an expression. @throws SchemaException if it is too large */
    static Dfa determinise(Expr expr) {
        return determinise(expr, new Work());
    }

    /** The same as a part of a larger work. */
    static Dfa determinise(Expr expr, Work work) {
        return new Nfa(expr).new Subsets(work).run();
    }

    private int state() {
        if (firstEdge.size() >= Limits.NFA_STATES) {
            throw Limits.tooManyStates("parts of one rule", Limits.NFA_STATES);
        }
        firstEdge.add(NO_EDGE);
        return firstEdge.size() - 1;
    }

    private int edge(int from, int lowest, int highest, int to) {
        nextEdge.add(firstEdge.get(from));
        low.add(lowest);
        high.add(highest);
        target.add(to);
        firstEdge.set(from, target.size() - 1);
        return to;
    }

    private int epsilon(int from, int to) {
        return edge(from, EPSILON, EPSILON, to);
    }

    /** Adds an expression after a state. @return the state after it */
    private int append(Expr expr, int from) {
        if (++parts > Limits.NFA_STATES) { // empty ones have no states, but may be repeated as well
            throw Limits.tooManyStates("parts of one rule", Limits.NFA_STATES);
        }
        return switch (expr) {
            case Expr.Range(int lowest, int highest) -> edge(from, lowest, highest, state());
            case Expr.Call(int rule) -> edge(from, FIRST_CALL + rule, FIRST_CALL + rule, state());
            case Expr.Seq(List<Expr> parts) -> {
                int at = from;
                for (Expr part : parts) {
                    at = append(part, at);
                }
                yield at;
            }
            case Expr.Alt(List<Expr> choices) -> {
                int last = state();
                for (Expr choice : choices) {
                    epsilon(append(choice, from), last);
                }
                yield last;
            }
            case Expr.Repeat repeat -> appendRepeat(repeat, from);
            case Expr.Machine(Dfa dfa) -> appendMachine(dfa, from);
            case Expr.Net(int nodes, List<Expr.Net.Edge> edges) -> {
                int first = firstEdge.size();
                for (int i = 0; i < nodes; i++) {
                    state();
                }
                epsilon(from, first);
                for (Expr.Net.Edge edge : edges) {
                    epsilon(append(edge.expr(), epsilon(first + edge.from(), state())), first + edge.to());
                }
                yield first + nodes - 1;
            }
        };
    }

    private int appendRepeat(Expr.Repeat repeat, int from) {
        int at = from;
        for (int i = 0; i < repeat.min(); i++) {
            at = append(repeat.part(), at);
        }
        if (repeat.max() == Expr.UNBOUNDED) {
            int loop = epsilon(at, state()); // of its own: what comes before must not be repeated
            epsilon(append(repeat.part(), loop), loop);
            return loop;
        }
        int last = state();
        for (int i = repeat.min(); i < repeat.max(); i++) {
            epsilon(at, last);
            at = append(repeat.part(), at);
        }
        return epsilon(at, last);
    }

    private int appendMachine(Dfa dfa, int from) {
        int first = firstEdge.size();
        for (int i = 0; i < dfa.states(); i++) {
            state();
        }
        int last = state();
        epsilon(from, first);
        for (int s = 0; s < dfa.states(); s++) {
            for (int e = dfa.firstEdge(s); e < dfa.firstEdge(s + 1); e++) {
                edge(first + s, dfa.low(e), dfa.high(e), first + dfa.target(e));
            }
            if (dfa.isAccepting(s)) {
                epsilon(first + s, last);
            }
        }
        return last;
    }

    /** The subset construction. */
    private final class Subsets {
        private final Map<IntKey, Integer> ids = new HashMap<>();
        private final Deque<int[]> pending = new ArrayDeque<>();
        private final Dfa.Builder dfa = new Dfa.Builder();
        private final BitSet seen = new BitSet();
        private final Work work;

        Subsets(Work work) {
            this.work = work;
        }

        Dfa run() {
            id(new int[] {0});
            while (!pending.isEmpty()) {
                expand(pending.removeFirst());
            }
            return dfa.build();
        }

        /** The state for what is reached from some states without reading. */
        private int id(int[] states) {
            int[] closure = closure(states);
            Integer known = ids.putIfAbsent(new IntKey(closure), ids.size());
            if (known != null) {
                return known;
            }
            if (ids.size() > Limits.STATES) {
                throw Limits.tooManyStates("states", Limits.STATES);
            }
            pending.addLast(closure);
            return ids.size() - 1;
        }

        private int[] closure(int[] states) {
            Ints found = new Ints();
            for (int s : states) {
                visit(s, found);
            }
            for (int i = 0; i < found.size(); i++) {
                for (int e = firstEdge.get(found.get(i)); e != NO_EDGE; e = nextEdge.get(e)) {
                    if (low.get(e) == EPSILON) {
                        visit(target.get(e), found);
                    }
                }
            }
            work.count(found.size());
            Ints kept = new Ints(); // the others do nothing but lead here
            for (int i = 0; i < found.size(); i++) {
                int s = found.get(i);
                seen.clear(s);
                if (s == end || reads(s)) {
                    kept.add(s);
                }
            }
            return kept.toSortedSet();
        }

        private void visit(int s, Ints found) {
            if (!seen.get(s)) {
                seen.set(s);
                found.add(s);
            }
        }

        private boolean reads(int s) {
            for (int e = firstEdge.get(s); e != NO_EDGE; e = nextEdge.get(e)) {
                if (low.get(e) != EPSILON) {
                    return true;
                }
            }
            return false;
        }

        private void expand(int[] states) {
            boolean accepting = Arrays.binarySearch(states, end) >= 0;
            Ints edges = new Ints();
            for (int s : states) {
                for (int e = firstEdge.get(s); e != NO_EDGE; e = nextEdge.get(e)) {
                    if (low.get(e) != EPSILON) {
                        edges.add(e);
                    }
                }
            }
            int[] bounds = bounds(edges);
            work.count((long) edges.size() * bounds.length);
            dfa.state(accepting);
            for (int i = 0; i < bounds.length; i++) {
                int from = bounds[i];
                Ints targets = new Ints();
                for (int j = 0; j < edges.size(); j++) {
                    int e = edges.get(j);
                    if (low.get(e) <= from && from <= high.get(e)) {
                        targets.add(target.get(e));
                    }
                }
                if (targets.size() == 0) {
                    continue;
                }
                int to = id(targets.toSortedSet());
                if (from >= FIRST_CALL) {
                    dfa.call(from - FIRST_CALL, to);
                } else {
                    int until = i + 1 < bounds.length ? Math.min(bounds[i + 1], FIRST_CALL) : FIRST_CALL;
                    dfa.edge(from, until - 1, to);
                }
            }
        }

        /** Where the set of edges that can be taken changes. */
        private int[] bounds(Ints edges) {
            Ints bounds = new Ints();
            for (int j = 0; j < edges.size(); j++) {
                int e = edges.get(j);
                bounds.add(low.get(e));
                if (high.get(e) + 1 < FIRST_CALL) {
                    bounds.add(high.get(e) + 1);
                }
            }
            return bounds.toSortedSet();
        }
    }
}

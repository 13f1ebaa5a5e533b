package dev.weft.grammar;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.BinaryOperator;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A deterministic automaton; state 0 is the start. A state has edges that read a byte, in ascending and disjoint ranges,
 * and calls, each of another rule.
 */
final class Dfa {
    static final int NO_STATE = -1;

    private final int[] firstEdge;
    private final int[] ranges;
    private final int[] targets;
    private final int[] firstCall;
    private final int[] rules;
    private final int[] returns;
    private final BitSet accepting;

    private Dfa(Builder b) {
        firstEdge = b.firstEdge.toArray();
        ranges = b.ranges.toArray();
        targets = b.targets.toArray();
        firstCall = b.firstCall.toArray();
        rules = b.rules.toArray();
        returns = b.returns.toArray();
        accepting = b.accepting;
    }

    int states() {
        return firstEdge.length - 1;
    }

    boolean isAccepting(int state) {
        return accepting.get(state);
    }

    /** The edges of a state are those from this one to, exclusively, the first of the next state. */
    int firstEdge(int state) {
        return firstEdge[state];
    }

    /** Number of edges of all states. */
    int edges() {
        return targets.length;
    }

    int low(int edge) {
        return ranges[edge] >> 8;
    }

    int high(int edge) {
        return ranges[edge] & 0xFF;
    }

    int target(int edge) {
        return targets[edge];
    }

    /** The calls of a state are those from this one to, exclusively, the first of the next state. */
    int firstCall(int state) {
        return firstCall[state];
    }

    boolean hasCalls(int state) {
        return firstCall[state] < firstCall[state + 1];
    }

    int rule(int call) {
        return rules[call];
    }

    /** The state after a call. */
    int returnState(int call) {
        return returns[call];
    }

    /** The state after reading a byte, {@link #NO_STATE} if it cannot be read. @param value 0 to 255 */
    int next(int state, int value) {
        int lo = firstEdge[state];
        int hi = firstEdge[state + 1] - 1;
        while (lo <= hi) {
            int middle = (lo + hi) >>> 1;
            int range = ranges[middle];
            if (value < range >> 8) {
                hi = middle - 1;
            } else if (value > (range & 0xFF)) {
                lo = middle + 1;
            } else {
                return targets[middle];
            }
        }
        return NO_STATE;
    }

    /**
     * Builds an automaton from what it does.
     *
     * @param accepts whether the text may end in a state
     * @param step the state after a byte, null if it cannot be read
     */
    static <S> Dfa explore(S start, Predicate<S> accepts, BiFunction<S, Integer, @Nullable S> step) {
        Map<S, Integer> ids = new HashMap<>();
        Deque<S> pending = new ArrayDeque<>();
        Builder builder = new Builder();
        ids.put(start, 0);
        pending.add(start);
        while (!pending.isEmpty()) {
            S at = pending.removeFirst();
            builder.state(accepts.test(at));
            for (int value = 0; value < 256; value++) {
                S to = step.apply(at, value);
                if (to != null) {
                    Integer known = ids.putIfAbsent(to, ids.size());
                    if (known == null) {
                        if (ids.size() > Limits.STATES) {
                            throw Limits.tooManyStates("states", Limits.STATES);
                        }
                        pending.addLast(to);
                    }
                    builder.edge(value, value, known == null ? ids.size() - 1 : known);
                }
            }
        }
        return builder.build();
    }

    /** What both accept. Neither has calls. */
    static Dfa intersection(Dfa a, Dfa b) {
        return product(a, b, (x, y) -> x && y, false);
    }

    /** What the first accepts and the second does not. Neither has calls. */
    static Dfa difference(Dfa a, Dfa b) {
        return product(a, b, (x, y) -> x && !y, true);
    }

    private static Dfa product(Dfa a, Dfa b, BinaryOperator<Boolean> accepts, boolean goesOnAlone) {
        record Pair(int a, int b) {}
        return explore(
                new Pair(0, 0),
                pair -> accepts.apply(a.isAccepting(pair.a), pair.b != NO_STATE && b.isAccepting(pair.b)),
                (pair, value) -> {
                    int nextA = a.next(pair.a, value);
                    int nextB = pair.b == NO_STATE ? NO_STATE : b.next(pair.b, value);
                    return nextA == NO_STATE || (nextB == NO_STATE && !goesOnAlone) ? null : new Pair(nextA, nextB);
                });
    }

    /** Builds an automaton state by state: edges and calls belong to the state begun last. */
    static final class Builder {
        private final Ints firstEdge = new Ints();
        private final Ints ranges = new Ints();
        private final Ints targets = new Ints();
        private final Ints firstCall = new Ints();
        private final Ints rules = new Ints();
        private final Ints returns = new Ints();
        private final BitSet accepting = new BitSet();

        /** Begins the next state. */
        void state(boolean accepts) {
            accepting.set(firstEdge.size(), accepts);
            firstEdge.add(targets.size());
            firstCall.add(returns.size());
        }

        /** Adds an edge; they come in ascending order. Neighbours that lead to the same state become one. @return which */
        int edge(int low, int high, int to) {
            int last = targets.size() - 1;
            if (last >= firstEdge.get(firstEdge.size() - 1)
                    && targets.get(last) == to
                    && (ranges.get(last) & 0xFF) == low - 1) {
                ranges.set(last, ranges.get(last) & 0xFF00 | high);
            } else {
                ranges.add(low << 8 | high);
                targets.add(to);
            }
            return targets.size() - 1;
        }

        /** Adds a call. @return which */
        int call(int rule, int returnState) {
            rules.add(rule);
            returns.add(returnState);
            return returns.size() - 1;
        }

        /** Adds all states of an automaton. @return its first state */
        int append(Dfa dfa) {
            int base = firstEdge.size();
            for (int s = 0; s < dfa.states(); s++) {
                state(dfa.isAccepting(s));
                for (int e = dfa.firstEdge(s); e < dfa.firstEdge(s + 1); e++) {
                    edge(dfa.low(e), dfa.high(e), base + dfa.target(e));
                }
                for (int c = dfa.firstCall(s); c < dfa.firstCall(s + 1); c++) {
                    call(dfa.rule(c), base + dfa.returnState(c));
                }
            }
            return base;
        }

        int states() {
            return firstEdge.size();
        }

        Dfa build() {
            firstEdge.add(targets.size());
            firstCall.add(returns.size());
            return new Dfa(this);
        }
    }
}

package dev.weft.grammar;

import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;

/**
 * All rules of a grammar in one automaton, rule 0 being the whole text. Only ways that can be completed are in it: from
 * every state that is reached the end of its rule can be reached.
 */
final class Automaton {
    /** The way to the end of the rule is to stop here. */
    static final int STOP = -1;

    private static final int UNREACHED = Integer.MAX_VALUE;

    private final Dfa table;
    private final int[] entries;
    private final int[] order;
    private final int[] moves;
    private final int[] nesting;

    private Automaton(Dfa table, int[] entries, int[] order, int[] moves) {
        this.table = table;
        this.entries = entries;
        this.order = order;
        this.moves = moves;
        this.nesting = new CallNesting(table, entries).ofStates;
    }

    /** Joins rules. @throws SchemaException if no text is of the form of the first rule */
    static Automaton of(List<Dfa> rules) {
        Dfa.Builder builder = new Dfa.Builder();
        int[] entries = rules.stream().mapToInt(builder::append).toArray();
        Dfa all = builder.build();
        Distances distances = new Distances(all, entries);
        if (distances.bytes[entries[0]] == UNREACHED) {
            throw new SchemaException(
                    "grammar: no text satisfies it, expected one that some text does: look for contradicting"
                            + " bounds, and for references that lead back to themselves without a way out");
        }
        return distances.automaton();
    }

    Dfa table() {
        return table;
    }

    /** First state of a rule. */
    int entry(int rule) {
        return entries[rule];
    }

    /** How many calls may follow each other from a state before a byte is read. */
    int nesting(int state) {
        return nesting[state];
    }

    /** All states that can be completed, every one after those that its shortest completion leads through. */
    int[] order() {
        return order;
    }

    /** The first step of the shortest completion, in bytes: {@link #STOP}, an edge, or a call c as {@code -2 - c}. */
    int move(int state) {
        return moves[state];
    }

    static boolean isCall(int move) {
        return move < STOP;
    }

    /** The call of a move, or the move of a call. */
    static int call(int move) {
        return -2 - move;
    }

    /** Calls before the first byte. Rules never call themselves there: every such call is to a lesser depth. */
    private static final class CallNesting {
        private final Dfa table;
        private final int[] entries;
        private final int[] ofStates;
        private final int[] readings;

        CallNesting(Dfa table, int[] entries) {
            this.table = table;
            this.entries = entries;
            ofStates = new int[table.states()];
            readings = new int[table.states()];
            for (int s = 0; s < table.states(); s++) {
                visit(s);
            }
        }

        private void visit(int s) {
            if (readings[s] > 0) {
                return;
            }
            int all = 1;
            for (int c = table.firstCall(s); c < table.firstCall(s + 1); c++) {
                int entry = entries[table.rule(c)];
                visit(entry);
                ofStates[s] = Math.max(ofStates[s], ofStates[entry] + 1);
                all += readings[entry];
                if (all > Limits.READINGS) {
                    throw Limits.tooAmbiguous();
                }
            }
            readings[s] = all;
        }
    }

    /**
     * Fewest bytes to the end of the rule from every state. Rules call each other, so this is Knuth's generalisation of
     * Dijkstra's algorithm: a call costs the sum of the shortest text of the rule and of what follows.
     */
    private static final class Distances {
        private final Dfa all;
        private final int[] entries;
        private final int[] bytes;
        private final int[] moves;
        private final Ints order = new Ints();
        private final PriorityQueue<Reached> queue = new PriorityQueue<>();

        /** For every state the edges and calls that lead to it; calls also from the first state of their rule. */
        private final int[] firstUser;

        private final int[] users;

        private record Reached(int distance, int state) implements Comparable<Reached> {
            @Override
            public int compareTo(Reached other) {
                int byDistance = Integer.compare(distance, other.distance);
                return byDistance != 0 ? byDistance : Integer.compare(state, other.state);
            }
        }

        Distances(Dfa all, int[] entries) {
            this.all = all;
            this.entries = entries;
            bytes = new int[all.states()];
            moves = new int[all.states()];
            firstUser = new int[all.states() + 2];
            forAllUses((from, used) -> firstUser[used + 2]++);
            for (int s = 0; s < all.states(); s++) {
                firstUser[s + 2] += firstUser[s + 1];
            }
            users = new int[firstUser[all.states() + 1]];
            forAllUses((from, used) -> users[firstUser[used + 1]++] = from);
            Arrays.fill(bytes, UNREACHED);
            run();
        }

        private interface Use {
            void of(int from, int used);
        }

        private void forAllUses(Use use) {
            for (int s = 0; s < all.states(); s++) {
                for (int e = all.firstEdge(s); e < all.firstEdge(s + 1); e++) {
                    use.of(s, all.target(e));
                }
                for (int c = all.firstCall(s); c < all.firstCall(s + 1); c++) {
                    use.of(s, all.returnState(c));
                    use.of(s, entries[all.rule(c)]);
                }
            }
        }

        private void run() {
            for (int s = 0; s < all.states(); s++) {
                if (all.isAccepting(s)) {
                    queue.add(new Reached(0, s));
                }
            }
            while (!queue.isEmpty()) {
                Reached next = queue.poll();
                int s = next.state;
                if (bytes[s] != UNREACHED) {
                    continue;
                }
                moves[s] = best(s);
                bytes[s] = next.distance;
                order.add(s);
                for (int i = firstUser[s]; i < firstUser[s + 1]; i++) {
                    int user = users[i];
                    if (bytes[user] == UNREACHED) {
                        int distance = distance(user, best(user));
                        if (distance != UNREACHED) {
                            queue.add(new Reached(distance, user));
                        }
                    }
                }
            }
        }

        /** The best move among those whose distance is known. */
        private int best(int s) {
            if (all.isAccepting(s)) {
                return STOP;
            }
            int best = STOP;
            int least = UNREACHED;
            for (int e = all.firstEdge(s); e < all.firstEdge(s + 1); e++) {
                if (distance(s, e) < least) {
                    least = distance(s, e);
                    best = e;
                }
            }
            for (int c = all.firstCall(s); c < all.firstCall(s + 1); c++) {
                if (distance(s, call(c)) < least) {
                    least = distance(s, call(c));
                    best = call(c);
                }
            }
            return best;
        }

        private int distance(int s, int move) {
            if (move == STOP) {
                return all.isAccepting(s) ? 0 : UNREACHED;
            }
            if (!isCall(move)) {
                int after = bytes[all.target(move)];
                return after == UNREACHED ? UNREACHED : after + 1;
            }
            int within = bytes[entries[all.rule(call(move))]];
            int after = bytes[all.returnState(call(move))];
            long sum = (long) within + after;
            return within == UNREACHED || after == UNREACHED ? UNREACHED : (int) Math.min(sum, UNREACHED - 2);
        }

        /** Without the edges and calls that lead to where nothing can be completed. */
        Automaton automaton() {
            Dfa.Builder trimmed = new Dfa.Builder();
            int[] renumbered = new int[all.edges()];
            for (int s = 0; s < all.states(); s++) {
                trimmed.state(all.isAccepting(s));
                for (int e = all.firstEdge(s); e < all.firstEdge(s + 1); e++) {
                    if (bytes[all.target(e)] != UNREACHED) {
                        renumbered[e] = trimmed.edge(all.low(e), all.high(e), all.target(e));
                    }
                }
                for (int c = all.firstCall(s); c < all.firstCall(s + 1); c++) {
                    if (distance(s, call(c)) != UNREACHED) {
                        int kept = trimmed.call(all.rule(c), all.returnState(c));
                        if (moves[s] == call(c)) {
                            moves[s] = call(kept);
                        }
                    }
                }
                if (moves[s] > STOP) {
                    moves[s] = renumbered[moves[s]];
                }
            }
            return new Automaton(trimmed.build(), entries, order.toArray(), moves);
        }
    }
}

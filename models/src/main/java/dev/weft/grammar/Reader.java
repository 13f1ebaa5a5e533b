package dev.weft.grammar;

import org.jspecify.annotations.Nullable;

/** Reads bytes by the rules of a grammar, in all ways at once. Lists of ways are closed under calls and ends of rules. */
final class Reader {
    private final Automaton automaton;
    private final Dfa table;
    private final int[] distances;

    /** @param distances to the end of the rule, of every state, in tokens */
    Reader(Automaton automaton, int[] distances) {
        this.automaton = automaton;
        this.table = automaton.table();
        this.distances = distances;
    }

    /** The ways to read from a state. */
    Reading start(int state, Stack stack) {
        return close(new Reading(state, stack, false, null));
    }

    /** The ways after another byte, null if there are none. */
    @Nullable
    Reading next(Reading readings, int value) {
        Reading after = null;
        for (Reading r = readings; r != null; r = r.next()) {
            int state = table.next(r.state(), value);
            if (state != Dfa.NO_STATE) {
                after = add(state, r.stack(), false, after);
            }
        }
        return after == null ? null : close(after);
    }

    /** Whether one of the ways is at the end of all rules. */
    boolean isComplete(Reading readings) {
        for (Reading r = readings; r != null; r = r.next()) {
            if (r.stack().isBottom() && table.isAccepting(r.state())) {
                return true;
            }
        }
        return false;
    }

    /** Fewest tokens to the end of all rules. */
    int cost(Reading readings) {
        int least = Integer.MAX_VALUE;
        for (Reading r = readings; r != null; r = r.next()) {
            least = Math.min(least, distances[r.state()] + r.stack().cost());
        }
        return least;
    }

    private Reading close(Reading readings) {
        Reading all = readings;
        Reading done = null; // what lies before it in the list came later
        while (all != done) {
            Reading until = done;
            done = all;
            for (Reading r = done; r != until && r != null; r = r.next()) {
                all = addDerived(r, all);
            }
        }
        return all;
    }

    private Reading addDerived(Reading r, Reading readings) {
        Reading all = readings;
        if (table.hasCalls(r.state())) {
            for (int c = table.firstCall(r.state()); c < table.firstCall(r.state() + 1); c++) {
                int after = table.returnState(c);
                all = add(automaton.entry(table.rule(c)), r.stack().push(after, distances[after]), true, all);
            }
        }
        if (table.isAccepting(r.state()) && !r.stack().isBottom()) {
            all = add(r.stack().state(), r.stack().below(), true, all);
        }
        return all;
    }

    private static Reading add(int state, Stack stack, boolean derived, @Nullable Reading readings) {
        if (readings == null) {
            return new Reading(state, stack, derived, null);
        }
        int count = 0;
        for (Reading r = readings; r != null; r = r.next()) {
            if (r.state() == state && r.stack().equals(stack)) {
                return readings;
            }
            count++;
        }
        if (count >= Limits.READINGS) {
            throw Limits.tooAmbiguous();
        }
        return new Reading(state, stack, derived, readings);
    }
}

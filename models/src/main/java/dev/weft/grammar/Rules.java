package dev.weft.grammar;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The rules of a grammar in the making. A rule is asked for by its name and written later, so that rules may call each
 * other without end, and without deep recursion here.
 */
final class Rules {
    /**
     * What a rule is: the same part of a schema at another depth is another rule.
     *
     * @param place name of what it describes
     * @param depth how deep texts of it may still nest
     */
    record Name(String place, int depth) {}

    private final Map<Name, Integer> ids = new HashMap<>();
    private final List<Supplier<Expr>> bodies = new ArrayList<>();
    private final Work work = new Work();

    /** A call of a rule. @param body asked for once, after this method */
    Expr call(String place, int depth, Supplier<Expr> body) {
        int id = ids.computeIfAbsent(new Name(place, depth), name -> {
            bodies.add(body);
            return bodies.size() - 1;
        });
        return new Expr.Call(id);
    }

    /** What the making of these rules took so far. */
    Work work() {
        return work;
    }

    /** Writes all rules, and those that they ask for. @return an automaton for every rule */
    List<Dfa> write() {
        List<Dfa> written = new ArrayList<>();
        int states = 0;
        for (int i = 0; i < bodies.size(); i++) { // grows meanwhile
            Dfa dfa = Nfa.determinise(bodies.get(i).get(), work);
            states += dfa.states();
            if (states > Limits.STATES) {
                throw Limits.tooManyStates("states", Limits.STATES);
            }
            written.add(dfa);
        }
        return written;
    }
}

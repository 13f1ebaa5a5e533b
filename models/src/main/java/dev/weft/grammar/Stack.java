package dev.weft.grammar;

import org.jspecify.annotations.Nullable;

/** Where to go on after the rules that are being read: a list that shares its lower part with others. Immutable. */
final class Stack {
    /** Nothing is left of what is known: the end of the text, or, within a walk through tokens, the unknown rest. */
    static final Stack BOTTOM = new Stack(null, Dfa.NO_STATE, 0);

    private final @Nullable Stack below;
    private final int state;
    private final int cost;
    private final int hash;

    private Stack(@Nullable Stack below, int state, int cost) {
        this.below = below;
        this.state = state;
        this.cost = cost;
        this.hash = below == null ? 0 : 31 * below.hash + state;
    }

    /** @param distance of the state from the end of its rule, in tokens */
    Stack push(int returnState, int distance) {
        return new Stack(this, returnState, Math.min(TokenDistances.MOST, cost + distance));
    }

    boolean isBottom() {
        return below == null;
    }

    /** The state after the rule that is being read. */
    int state() {
        return state;
    }

    Stack below() {
        return below == null ? this : below;
    }

    /** Tokens to the end of all rules on the stack. */
    int cost() {
        return cost;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Stack s)) {
            return false;
        }
        Stack a = this;
        Stack b = s;
        while (a != b) {
            if (a.hash != b.hash || a.state != b.state || a.below == null || b.below == null) {
                return false;
            }
            a = a.below;
            b = b.below;
        }
        return true;
    }

    @Override
    public int hashCode() {
        return hash;
    }
}

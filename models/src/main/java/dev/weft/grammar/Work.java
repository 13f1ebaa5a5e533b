package dev.weft.grammar;

/** Counts what the making of one grammar takes, so that a hostile one ends in an exception and not in waiting. */
final class Work {
    private long steps;

    /** @throws SchemaException if there were too many steps in all */
    void count(long more) {
        steps += more;
        if (steps > Limits.STEPS) {
            throw Limits.tooManyStates("steps to make rules deterministic", Limits.STEPS);
        }
    }
}

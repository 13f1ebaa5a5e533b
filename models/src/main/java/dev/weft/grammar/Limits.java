package dev.weft.grammar;

/** How large a grammar may become, so that a hostile one ends in an exception and not in a machine without memory. */
final class Limits {
    /** States of all rules of a grammar. */
    static final int STATES = 1 << 17;

    /** States of one rule before it is made deterministic. */
    static final int NFA_STATES = 1 << 20;

    /** Steps of making all rules of a grammar deterministic and of comparing them. */
    static final long STEPS = 1 << 26;

    /** Ways in which one text may be read at the same time. */
    static final int READINGS = 128;

    private Limits() {}

    static SchemaException tooManyStates(String what, long limit) {
        return new SchemaException("grammar: found more than " + limit + " " + what
                + ", expected fewer: lower the bounds of lengths and repetitions, or leave them out");
    }

    static SchemaException tooAmbiguous() {
        return new SchemaException(
                "grammar: found more than " + READINGS
                        + " ways to read one text, expected fewer: let alternatives differ in their first characters or properties");
    }
}

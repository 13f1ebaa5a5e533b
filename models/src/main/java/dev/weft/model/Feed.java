package dev.weft.model;

/**
 * One sequence's share of a step.
 *
 * @param session the sequence
 * @param tokens the tokens it appends, one or more
 * @param want which logits are returned
 */
public record Feed(Session session, int[] tokens, Want want) {
    /** Which rows' logits a step returns. */
    public enum Want {
        /** None: a prefill chunk that is not the last. */
        NONE,
        /** The last row's. */
        LAST,
        /** All rows'. */
        ALL;

        /** Number of rows of logits of a sequence that appends some tokens. */
        int rows(int tokens) {
            return switch (this) {
                case NONE -> 0;
                case LAST -> 1;
                case ALL -> tokens;
            };
        }
    }

    /** Number of rows of logits. */
    public int wanted() {
        return want.rows(tokens.length);
    }
}

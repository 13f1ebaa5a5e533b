package dev.weft.model;

/**
 * Says which tokens may come next, so that the generated text has a given form. A constraint belongs to one generation:
 * it is asked, a token is drawn among those allowed, the token is handed to it, and so on until it is finished. Not
 * thread-safe.
 */
public interface TokenConstraint {
    /** Without a limit on the number of tokens. */
    int UNLIMITED = Integer.MAX_VALUE;

    /**
     * Writes the ids that may come next.
     *
     * @param mask overwritten; has at least one id afterwards
     * @param budget how many tokens may still come, the next one and the end of the sequence included. Only tokens after
     *     which the text can still be finished are allowed, so that with a budget of at least {@link #shortest} in the
     *     beginning, and one less after every token, the text always is
     * @throws dev.weft.RequestException if the budget is less than {@link #shortest} or the constraint is finished
     */
    void allowed(TokenMask mask, int budget);

    /**
     * Takes the token that was chosen.
     *
     * @throws dev.weft.RequestException if it is not allowed; the constraint is as before
     */
    void accept(int token);

    /** Whether the end of the sequence was accepted: nothing may follow. */
    boolean isFinished();

    /**
     * A number of tokens, the end of the sequence included, with which the text can be finished from here. It is an upper
     * bound of the fewest that could.
     */
    int shortest();

    /** A second constraint in the same state. Cheap: for beams and for drafts that may be taken back. */
    TokenConstraint copy();
}

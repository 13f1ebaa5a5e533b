package dev.weft.cli;

import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import java.util.Arrays;

/** A constraint that measures what it costs. Copies are not measured. */
final class TimedConstraint implements TokenConstraint {
    private final TokenConstraint measured;
    private long[] nanos = new long[256];
    private int tokens;

    TimedConstraint(TokenConstraint measured) {
        this.measured = measured;
    }

    @Override
    public void allowed(TokenMask mask, int budget) {
        long start = System.nanoTime();
        measured.allowed(mask, budget);
        if (tokens == nanos.length) {
            nanos = Arrays.copyOf(nanos, 2 * tokens);
        }
        nanos[tokens] = System.nanoTime() - start;
    }

    @Override
    public void accept(int token) {
        long start = System.nanoTime();
        measured.accept(token);
        nanos[tokens++] += System.nanoTime() - start;
    }

    @Override
    public boolean isFinished() {
        return measured.isFinished();
    }

    @Override
    public int shortest() {
        return measured.shortest();
    }

    @Override
    public TokenConstraint copy() {
        return measured.copy();
    }

    /** Of all tokens, in nanoseconds. */
    long total() {
        return Arrays.stream(nanos, 0, tokens).sum();
    }

    /** Of the token in the middle, in nanoseconds. */
    long median() {
        long[] sorted = Arrays.copyOf(nanos, tokens);
        Arrays.sort(sorted);
        return tokens == 0 ? 0 : sorted[tokens / 2];
    }
}

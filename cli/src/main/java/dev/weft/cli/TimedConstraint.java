package dev.weft.cli;

import dev.weft.model.TokenConstraint;
import dev.weft.model.TokenMask;
import java.util.Arrays;

/** A constraint that measures what it costs, its copies included. */
final class TimedConstraint implements TokenConstraint {
    private final TokenConstraint measured;
    private final Log log;

    /** Nanoseconds of each token, of a constraint and its copies. */
    private static final class Log {
        private long[] nanos = new long[256];
        private int tokens;

        void add(long more) {
            if (tokens == nanos.length) {
                nanos = Arrays.copyOf(nanos, 2 * tokens);
            }
            nanos[tokens] += more;
        }
    }

    TimedConstraint(TokenConstraint measured) {
        this(measured, new Log());
    }

    private TimedConstraint(TokenConstraint measured, Log log) {
        this.measured = measured;
        this.log = log;
    }

    @Override
    public void allowed(TokenMask mask, int budget) {
        long start = System.nanoTime();
        measured.allowed(mask, budget);
        log.add(System.nanoTime() - start);
    }

    @Override
    public void accept(int token) {
        long start = System.nanoTime();
        measured.accept(token);
        log.add(System.nanoTime() - start);
        log.tokens++;
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
        return new TimedConstraint(measured.copy(), log);
    }

    /** Of all tokens, in nanoseconds. */
    long total() {
        return Arrays.stream(log.nanos, 0, log.tokens).sum();
    }

    /** Of the token in the middle, in nanoseconds. */
    long median() {
        long[] sorted = Arrays.copyOf(log.nanos, log.tokens);
        Arrays.sort(sorted);
        return sorted.length == 0 ? 0 : sorted[sorted.length / 2];
    }
}

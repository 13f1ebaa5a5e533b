package dev.weft.ranks.mpi;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * Waiting by polling: at first without giving the processor away, since most answers come within microseconds, for a shorter
 * time where ranks are as many as processors; then to others that run; after a while asleep.
 */
final class Patience {
    private static final long SPIN = 50_000;
    private static final long SPIN_CROWDED = 5_000;
    private static final long YIELD = 20_000_000;
    private static final long NAP = 50_000;
    private static final long LONG_NAP = 1_000_000;
    private static final long SECOND = 1_000_000_000;

    private final long deadline;
    private final long spin;
    private long start;
    private boolean started;
    private long waited;

    /** @param crowded whether ranks of this host are as many as its processors */
    Patience(Duration deadline, boolean crowded) {
        this.deadline = deadline.toNanos();
        this.spin = crowded ? SPIN_CROWDED : SPIN;
    }

    /** Waits a little. Time runs from the first pause on. @return whether the deadline has not passed */
    boolean pause() {
        if (!started) { // most calls never pause
            start = System.nanoTime();
            started = true;
        }
        waited = System.nanoTime() - start;
        if (waited < spin) {
            Thread.onSpinWait();
        } else if (waited < YIELD) {
            Thread.yield();
        } else {
            LockSupport.parkNanos(waited < SECOND ? NAP : LONG_NAP);
        }
        return waited < deadline;
    }

    long waitedNanos() {
        return waited;
    }
}

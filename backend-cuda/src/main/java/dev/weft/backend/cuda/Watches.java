package dev.weft.backend.cuda;

import dev.weft.WeftException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BooleanSupplier;

/**
 * Work of other libraries in a stream, whose failure the driver does not tell: whoever waits for the stream looks after it.
 * Used by the thread that uses the stream, and on the device's thread while that one waits.
 */
final class Watches {
    /** Looks after one piece of work. */
    interface Watch {
        /**
         * Called again and again until the stream has passed the work, and once afterwards.
         *
         * @param isPast whether the stream has passed it
         * @throws WeftException if the work has failed, or its time is over; it must not keep the stream any more
         */
        void check(boolean isPast);
    }

    /** Work that runs again and again, as part of a graph. */
    interface Watched {
        /** Looks after the next run, whose time begins. @throws WeftException if it must not run any more */
        Watch next();
    }

    /** @param position in the stream behind the work */
    private record Entry(long position, BooleanSupplier isPast, Watch watch) {}

    private final Deque<Entry> watched = new ArrayDeque<>();

    void add(long position, BooleanSupplier isPast, Watch watch) {
        watched.add(new Entry(position, isPast, watch));
    }

    boolean isEmpty() {
        return watched.isEmpty();
    }

    /**
     * Looks after all work that the stream has passed and after the piece where it is; on the device's thread. What has
     * failed is forgotten with all behind it: it is reported once.
     *
     * @return whether the stream has passed something since the last look
     */
    boolean look() {
        boolean moved = false;
        try {
            while (!watched.isEmpty()) {
                Entry first = watched.getFirst();
                boolean isPast = first.isPast().getAsBoolean();
                first.watch().check(isPast);
                if (!isPast) {
                    return moved;
                }
                watched.removeFirst();
                moved = true;
            }
            return moved;
        } catch (RuntimeException | Error e) {
            watched.clear();
            throw e;
        }
    }

    /** As {@link #look} where nobody wants to know of failures: they have ended what was waited for. */
    void lookQuietly() {
        try {
            look();
        } catch (WeftException e) {
            // reported by every later call of the group
        }
    }

    /** The stream has passed everything up to a position. */
    void pass(long position) {
        try {
            while (!watched.isEmpty() && watched.getFirst().position() <= position) {
                watched.removeFirst().watch().check(true);
            }
        } catch (RuntimeException | Error e) {
            watched.clear();
            throw e;
        }
    }
}

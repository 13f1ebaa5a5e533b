package dev.weft.backend.cuda;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * How long to look again and again for the end of device work. The driver's own waits cannot be given up, so work is
 * polled: at first without a pause, since a decode step takes milliseconds, later with pauses of a twentieth of the time
 * that has passed. The device's thread is left after each slice, so that it serves other streams.
 */
final class Waiting {
    private static final long EAGER_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long SLICE_NANOS = TimeUnit.MICROSECONDS.toNanos(500);
    private static final long MOST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final CudaDevice device;
    private long start = System.nanoTime();

    Waiting(CudaDevice device) {
        this.device = device;
    }

    private long nanos() {
        return System.nanoTime() - start;
    }

    /** Looks for a slice of time, at least once; on the device's thread. */
    boolean look(BooleanSupplier isDone) {
        boolean done = isDone.getAsBoolean();
        for (long end = nanos() + SLICE_NANOS; !done && nanos() < Math.min(end, EAGER_NANOS); ) {
            if (device.hasWaiting()) {
                return false;
            }
            Thread.onSpinWait();
            done = isDone.getAsBoolean();
        }
        return done;
    }

    /**
     * Between two looks, on any thread.
     *
     * @param what is waited for, for messages
     * @throws dev.weft.DeviceLostException if nothing has come for {@link CudaOptions#timeoutSeconds}
     */
    void pause(String what) {
        long nanos = nanos();
        long seconds = TimeUnit.NANOSECONDS.toSeconds(nanos);
        if (seconds >= device.options().timeoutSeconds()) {
            throw device.health()
                    .stuck(what + ": nothing came within " + seconds + " s; raise -D" + CudaOptions.TIMEOUT
                            + " if a step may take that long; its memory stays taken until the program ends");
        }
        nap();
    }

    /** As {@link #pause}, however long it takes: for work whose end depends on others than the device. */
    void nap() {
        long nanos = nanos();
        if (nanos >= EAGER_NANOS) {
            LockSupport.parkNanos(Math.min(nanos / 20, MOST_PAUSE_NANOS));
        }
    }

    /** Something has come: counts anew. */
    void restart() {
        start = System.nanoTime();
    }
}

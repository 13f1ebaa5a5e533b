package dev.weft.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Lets an answer end between two tokens when the process is told to stop, as by Ctrl-C, and the model be closed before it
 * does. While a line is awaited there is nothing to end.
 */
final class Interruption implements AutoCloseable {
    /** A step of a large model may take long, but whoever presses Ctrl-C does not want to wait. */
    private static final long PATIENCE_SECONDS = 10;

    private final AtomicBoolean stopping = new AtomicBoolean();
    private final AtomicBoolean busy = new AtomicBoolean();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread hook = new Thread(this::stop, "weft-interruption");

    private Interruption() {}

    /** Listens from now on. */
    static Interruption install() {
        Interruption interruption = new Interruption();
        Runtime.getRuntime().addShutdownHook(interruption.hook);
        return interruption;
    }

    private void stop() {
        stopping.set(true);
        if (busy.get()) {
            awaitClose();
        }
    }

    private boolean awaitClose() {
        try {
            return closed.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Whether the process is about to end. */
    boolean isStopping() {
        return stopping.get();
    }

    /** Whether there is something to end. */
    void setBusy(boolean isBusy) {
        busy.set(isBusy);
    }

    @Override
    public void close() {
        closed.countDown();
        if (!isStopping()) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                stopping.set(true); // told to stop just now
            }
        }
    }
}

package dev.weft.spi;

import dev.weft.ClosedException;

/**
 * Guards something with native state: {@link #enter} fails after close, {@link #close} waits for users inside, and the
 * release action runs exactly once.
 */
public final class Lifetime {
    private final String subject;
    private final Runnable release;
    private int users;
    private boolean closed;

    /**
     * @param subject what is guarded, for messages
     * @param release frees it
     */
    public Lifetime(String subject, Runnable release) {
        this.subject = subject;
        this.release = release;
    }

    /** Begins a use. @throws ClosedException after close */
    public synchronized void enter() {
        if (closed) {
            throw new ClosedException(subject + ": used after close");
        }
        users++;
    }

    /** Ends a use. */
    public synchronized void exit() {
        users--;
        notifyAll();
    }

    /** Whether close was called. */
    public synchronized boolean isClosed() {
        return closed;
    }

    /** Forbids new uses, waits for the running ones and releases. A second call does nothing. */
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            boolean interrupted = false;
            while (users > 0) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        release.run();
    }
}

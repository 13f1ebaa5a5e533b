package dev.weft.spi.support;

import dev.weft.ClosedException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The one platform thread that makes all driver calls of a device. Drivers bind the current context, and some the last
 * error message, to the operating system's thread, so callers, which may be virtual threads, hand their calls over and
 * wait. Interrupting a waiting caller does not stop the call: its memory would be in use. The caller's flag is set again
 * afterwards.
 */
public final class DeviceThread implements AutoCloseable {
    /**
     * How long both sides look again before they sleep, since to be woken takes longer than most calls. They yield
     * meanwhile: where processors are few, the side that looks would keep the other from running.
     */
    private static final long LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(50);

    private final String subject;
    private final long lookNanos;
    private final BlockingQueue<Task<?>> queue = new LinkedBlockingQueue<>();
    private final Thread thread;
    private boolean closed;

    /** Starts the thread. @param subject what it serves, for its name and messages */
    public DeviceThread(String subject) {
        this(subject, LOOK_NANOS);
    }

    /** @param lookNanos how long both sides look again before they sleep */
    DeviceThread(String subject, long lookNanos) {
        this.subject = subject;
        this.lookNanos = lookNanos;
        this.thread = Thread.ofPlatform().daemon().name("weft-" + subject).start(this::work);
    }

    /** A call on its way, and its outcome. */
    private static final class Task<T> {
        private final @Nullable Supplier<T> body;
        private final CountDownLatch done = new CountDownLatch(1);
        private @Nullable T result;
        private @Nullable Throwable failure;

        Task(@Nullable Supplier<T> body) {
            this.body = body;
        }

        void run() {
            try {
                result = body.get();
            } catch (Throwable t) {
                failure = t;
            } finally {
                done.countDown();
            }
        }

        /** Whether it ended within so many nanoseconds. @param look how long to look again before sleeping */
        boolean ends(long nanos, long look) {
            long start = System.nanoTime();
            while (System.nanoTime() - start < Math.min(look, nanos)) {
                if (done.getCount() == 0) {
                    return true;
                }
                Thread.yield();
            }
            long end = start + nanos;
            boolean interrupted = false;
            try {
                while (true) {
                    try {
                        return done.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                    } catch (InterruptedException e) {
                        interrupted = true;
                    }
                }
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        T outcome() {
            switch (failure) {
                case null -> {
                    return result;
                }
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable t -> throw new IllegalStateException(t);
            }
        }
    }

    private void work() {
        while (true) {
            try {
                Task<?> task = next();
                if (task.body == null) {
                    return;
                }
                task.run();
            } catch (InterruptedException e) {
                // the thread ends by its last task only
            }
        }
    }

    private Task<?> next() throws InterruptedException {
        for (long start = System.nanoTime(); System.nanoTime() - start < lookNanos; Thread.yield()) {
            Task<?> task = queue.poll();
            if (task != null) {
                return task;
            }
        }
        return queue.take();
    }

    /** Runs {@code body} on the thread and waits; at once if this is the thread. */
    public <T> T call(Supplier<T> body) {
        if (Thread.currentThread() == thread) {
            return body.get();
        }
        Task<T> task = enqueue(body);
        while (!task.ends(Long.MAX_VALUE / 2, lookNanos)) {
            // for as long as it takes
        }
        return task.outcome();
    }

    /**
     * As {@link #call}, for a driver that may wait for others: the caller goes on after {@code limit}, the call itself does
     * not end by that and holds up all later ones.
     *
     * @throws TimeoutException if it has not ended by then
     */
    public <T> T callWithin(Duration limit, Supplier<T> body) throws TimeoutException {
        if (Thread.currentThread() == thread) {
            return body.get();
        }
        Task<T> task = enqueue(body);
        if (!task.ends(limit.toNanos(), lookNanos)) {
            throw new TimeoutException();
        }
        return task.outcome();
    }

    private <T> Task<T> enqueue(Supplier<T> body) {
        Task<T> task = new Task<>(body);
        synchronized (this) {
            if (closed) {
                throw new ClosedException(subject + ": used after close");
            }
            queue.add(task);
        }
        return task;
    }

    /** As {@link #call}, without a result. */
    public void run(Runnable body) {
        call(() -> {
            body.run();
            return Boolean.TRUE;
        });
    }

    /** Whether calls wait for the one that runs now. */
    public boolean hasWaiting() {
        return !queue.isEmpty();
    }

    /** Does what was handed over before, then ends the thread. A second call does nothing. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            queue.add(new Task<>(null));
        }
        boolean interrupted = false;
        while (thread.isAlive() && Thread.currentThread() != thread) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}

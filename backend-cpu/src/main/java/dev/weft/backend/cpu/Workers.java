package dev.weft.backend.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A fixed number of Java threads, the caller being one of them. Threads start at first use and end when idle. One job at
 * a time; which thread takes an item is open, so a result must not depend on it.
 */
public final class Workers implements AutoCloseable {
    private static final long IDLE_SECONDS = 5;

    private final int threads;
    private final ExecutorService executor;
    private final ReentrantLock oneJob = new ReentrantLock();

    /**
     * @param name prefix of thread names
     * @param threads number of threads, the caller included
     */
    public Workers(String name, int threads) {
        this.threads = threads;
        int helpers = Math.max(1, threads - 1);
        var pool = new ThreadPoolExecutor(
                helpers,
                helpers,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().daemon().name(name + "-", 1).factory());
        pool.allowCoreThreadTimeOut(true);
        this.executor = pool;
    }

    /** One item of a job. */
    @FunctionalInterface
    public interface Body {
        /**
         * Does one item.
         *
         * @param item number of the item
         * @param worker number of the thread, below {@link Workers#threads}; for scratch memory
         */
        void run(int item, int worker);
    }

    /** Number of threads that take part. */
    public int threads() {
        return threads;
    }

    /** Runs all items and waits; throws what the first failing item threw. Items not begun by then are left out. */
    public void parallelFor(int items, Body body) {
        oneJob.lock();
        try {
            AtomicInteger next = new AtomicInteger();
            List<Future<?>> helpers = new ArrayList<>();
            for (int worker = 1; worker < Math.min(threads, items); worker++) {
                int number = worker;
                helpers.add(executor.submit(() -> work(next, items, body, number)));
            }
            try {
                work(next, items, body, 0);
            } finally {
                helpers.forEach(Workers::await);
            }
        } finally {
            oneJob.unlock();
        }
    }

    private static void work(AtomicInteger next, int items, Body body, int worker) {
        try {
            for (int item = next.getAndIncrement(); item < items; item = next.getAndIncrement()) {
                body.run(item, worker);
            }
        } catch (RuntimeException | Error e) {
            next.set(items);
            throw e;
        }
    }

    private static void await(Future<?> helper) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    helper.get();
                    return;
                } catch (InterruptedException e) {
                    interrupted = true; // the job uses the caller's memory: it must end first
                } catch (ExecutionException e) {
                    switch (e.getCause()) {
                        case RuntimeException failure -> throw failure;
                        case Error failure -> throw failure;
                        default -> throw new AssertionError(e.getCause());
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() {
        executor.shutdown();
    }
}

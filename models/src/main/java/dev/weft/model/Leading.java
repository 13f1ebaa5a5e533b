package dev.weft.model;

import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** The thread by which a rank that drives the others tells them that it is there, however long its user thinks. */
final class Leading implements AutoCloseable {
    /** Deadlines are seconds to minutes. */
    static final Duration PERIOD = Duration.ofMillis(500);

    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("weft-leading").factory());

    private Leading() {}

    /**
     * @param tell called once a period
     * @param lost receives what it throws, after which it is not called any more
     */
    static Leading start(Runnable tell, Consumer<Throwable> lost) {
        Leading leading = new Leading();
        leading.thread.scheduleWithFixedDelay(
                () -> {
                    try {
                        tell.run();
                    } catch (RuntimeException | Error e) {
                        lost.accept(e);
                        throw e;
                    }
                },
                PERIOD.toNanos(),
                PERIOD.toNanos(),
                TimeUnit.NANOSECONDS);
        return leading;
    }

    /** Lets a call that runs end by itself: an interrupted one would leave the other ranks in the middle of theirs. */
    @Override
    public void close() {
        thread.shutdown();
    }
}

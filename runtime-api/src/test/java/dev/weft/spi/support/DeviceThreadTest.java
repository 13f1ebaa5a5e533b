package dev.weft.spi.support;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever calls, one platform thread works, in order, and nobody's interrupt stops it. */
class DeviceThreadTest {
    /** However long both sides look before they sleep. */
    @ParameterizedTest
    @ValueSource(longs = {0, 50_000, 1_000_000_000})
    void virtualThreadsMeetOnOnePlatformThread(long lookNanos) throws Exception {
        Set<Thread> seen = ConcurrentHashMap.newKeySet();
        try (DeviceThread thread = new DeviceThread("test", lookNanos);
                var callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Boolean>> calls = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                calls.add(() -> thread.call(() -> seen.add(Thread.currentThread())));
            }
            for (var done : callers.invokeAll(calls)) {
                done.get();
            }
        }
        assertThat(seen).hasSize(1);
        assertThat(seen.iterator().next().isVirtual()).isFalse();
    }

    @Test
    void anInterruptedCallerWaitsAndKeepsItsFlag() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        AtomicBoolean finished = new AtomicBoolean();
        AtomicBoolean flag = new AtomicBoolean();
        try (DeviceThread thread = new DeviceThread("test")) {
            Thread caller = Thread.ofPlatform().start(() -> {
                thread.run(() -> {
                    started.countDown();
                    awaitQuietly(release);
                    finished.set(true);
                });
                flag.set(Thread.currentThread().isInterrupted() && finished.get());
            });
            started.await();
            caller.interrupt();
            release.countDown();
            caller.join();
        }
        assertThat(flag).isTrue();
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError("the device's thread must not be interrupted", e);
        }
    }

    @Test
    void failuresReachTheCallerAndTheThreadGoesOn() {
        try (DeviceThread thread = new DeviceThread("test")) {
            assertThatThrownBy(() -> thread.run(() -> {
                        throw new IllegalStateException("boom");
                    }))
                    .hasMessage("boom");
            assertThat(thread.call(() -> thread.call(() -> 7))).isEqualTo(7);
        }
    }

    @Test
    void aClosedThreadRefusesAndClosesTwice() {
        DeviceThread thread = new DeviceThread("test");
        thread.close();
        thread.close();
        assertThatThrownBy(() -> thread.run(() -> {})).isInstanceOf(ClosedException.class);
    }

    @Test
    void aCallMayBeLeftBehind() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        try (DeviceThread thread = new DeviceThread("test")) {
            assertThat(thread.callWithin(Duration.ofSeconds(30), () -> 5)).isEqualTo(5);
            assertThatThrownBy(() -> thread.callWithin(Duration.ofMillis(50), () -> {
                        try {
                            return release.await(30, TimeUnit.SECONDS);
                        } catch (InterruptedException e) {
                            throw new AssertionError(e);
                        }
                    }))
                    .isInstanceOf(TimeoutException.class);
            assertThat(release.getCount()).as("it goes on").isEqualTo(1);
            release.countDown();
            assertThat(thread.<Integer>call(() -> 7)).isEqualTo(7);
        }
    }
}

package dev.weft.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Release runs once, after the last user, and never under one. */
@Timeout(30)
class LifetimeTest {
    @Test
    void releasesOnceAndRefusesAfterwards() {
        AtomicInteger released = new AtomicInteger();
        Lifetime lifetime = new Lifetime("thing 7", released::incrementAndGet);
        lifetime.enter();
        lifetime.exit();
        lifetime.close();
        lifetime.close();
        assertThat(released).hasValue(1);
        assertThat(lifetime.isClosed()).isTrue();
        assertThatThrownBy(lifetime::enter)
                .isInstanceOf(ClosedException.class)
                .hasMessageContainingAll("thing 7", "after close");
    }

    @Test
    void closeWaitsForUsers() throws InterruptedException {
        AtomicBoolean released = new AtomicBoolean();
        Lifetime lifetime = new Lifetime("thing", () -> released.set(true));
        lifetime.enter();
        CountDownLatch done = new CountDownLatch(1);
        Thread closer = Thread.ofPlatform().start(() -> {
            lifetime.close();
            done.countDown();
        });
        while (!lifetime.isClosed()) {
            Thread.onSpinWait();
        }
        assertThatThrownBy(lifetime::enter).isInstanceOf(ClosedException.class);
        assertThat(done.await(50, TimeUnit.MILLISECONDS)).isFalse();
        assertThat(released).isFalse();
        closer.interrupt(); // waiting goes on, and the interrupt is kept
        assertThat(done.await(50, TimeUnit.MILLISECONDS)).isFalse();
        lifetime.exit();
        assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(released).isTrue();
    }

    @Test
    void noUseOverlapsTheRelease() throws InterruptedException {
        for (int round = 0; round < 50; round++) {
            AtomicInteger inside = new AtomicInteger();
            AtomicInteger usersAtRelease = new AtomicInteger(-1);
            AtomicInteger usesAfterRelease = new AtomicInteger();
            Lifetime lifetime = new Lifetime("thing", () -> usersAtRelease.set(inside.get()));
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                threads.add(Thread.ofPlatform()
                        .start(() -> useUntilClosed(lifetime, inside, usersAtRelease, usesAfterRelease)));
            }
            threads.add(Thread.ofPlatform().start(lifetime::close));
            threads.add(Thread.ofPlatform().start(lifetime::close));
            for (Thread t : threads) {
                t.join();
            }
            assertThat(usersAtRelease).hasValue(0);
            assertThat(usesAfterRelease).hasValue(0);
        }
    }

    private static void useUntilClosed(
            Lifetime lifetime, AtomicInteger inside, AtomicInteger usersAtRelease, AtomicInteger usesAfterRelease) {
        while (true) {
            try {
                lifetime.enter();
            } catch (ClosedException e) {
                return;
            }
            inside.incrementAndGet();
            usesAfterRelease.addAndGet(usersAtRelease.get() >= 0 ? 1 : 0);
            inside.decrementAndGet();
            lifetime.exit();
        }
    }

    @Test
    void closingClosesAllAndKeepsTheFirstFailure() {
        List<String> closed = new ArrayList<>();
        List<AutoCloseable> things = List.of(
                () -> closed.add("a"),
                () -> {
                    throw new java.io.IOException("b is broken");
                },
                () -> {
                    throw new IllegalArgumentException("c is broken");
                },
                () -> closed.add("d"));
        assertThatThrownBy(() -> Closing.all(things))
                .isInstanceOf(IllegalStateException.class)
                .hasRootCauseMessage("b is broken")
                .satisfies(e -> assertThat(e.getSuppressed())
                        .singleElement()
                        .satisfies(s -> assertThat(s).hasMessage("c is broken")));
        assertThat(closed).containsExactly("a", "d");
    }
}

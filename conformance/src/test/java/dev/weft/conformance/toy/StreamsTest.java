package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Order inside a stream, order across streams by events, and what happens after a loss. */
class StreamsTest {
    private final ToyFaults faults = new ToyFaults().delays(200);
    private final BackendDevice device =
            new ToyProvider(faults).open(BackendConfig.DEFAULT).open(new DeviceId("toy", 0, ""));
    private DeviceStream first;
    private DeviceStream second;

    @BeforeEach
    void open() {
        first = device.createStream();
        second = device.createStream();
    }

    @AfterEach
    void close() {
        first.close();
        second.close();
        device.close();
    }

    @Test
    void workOfOneStreamRunsInOrder() {
        try (Arena arena = Arena.ofShared();
                DeviceBuffer buffer = device.allocate(4, 256)) {
            MemorySegment back = arena.allocate(4 * 100, 4);
            for (int i = 0; i < 100; i++) {
                MemorySegment value = arena.allocate(4, 4);
                value.set(ValueLayout.JAVA_INT, 0, i);
                first.copyIn(value, buffer.address());
                first.copyOut(buffer.address(), back.asSlice(4L * i, 4));
            }
            first.synchronize();
            for (int i = 0; i < 100; i++) {
                assertThat(back.getAtIndex(ValueLayout.JAVA_INT, i)).isEqualTo(i);
            }
        }
    }

    @Test
    void enqueueingDoesNotWait() {
        CountDownLatch gate = new CountDownLatch(1);
        ((ToyStream) first).launch("gate", () -> await(gate));
        DeviceStream.Event event = first.record();
        assertThat(event.isDone()).isFalse();
        gate.countDown();
        event.synchronize();
        assertThat(event.isDone()).isTrue();
    }

    private static void await(CountDownLatch gate) {
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void anEventOrdersTwoStreams() {
        try (Arena arena = Arena.ofShared();
                DeviceBuffer buffer = device.allocate(4, 256)) {
            MemorySegment value = arena.allocate(4, 4);
            MemorySegment back = arena.allocate(4, 4);
            for (int i = 1; i <= 50; i++) {
                value.set(ValueLayout.JAVA_INT, 0, i);
                first.copyIn(value, buffer.address());
                second.waitFor(first.record());
                second.copyOut(buffer.address(), back);
                first.waitFor(second.record());
                second.synchronize();
                assertThat(back.get(ValueLayout.JAVA_INT, 0)).isEqualTo(i);
            }
        }
    }

    @Test
    void waitersOnALostDeviceAreReleasedWithTheFirstCause() {
        CountDownLatch gate = new CountDownLatch(1);
        ((ToyStream) first).launch("broken", () -> {
            await(gate);
            throw new IllegalStateException("the first cause");
        });
        DeviceStream.Event event = first.record();
        gate.countDown();
        assertThatThrownBy(event::synchronize)
                .isInstanceOf(DeviceLostException.class)
                .hasMessageContaining("the first cause");
        assertThatThrownBy(second::synchronize).hasMessageContaining("the first cause");
        assertThatThrownBy(() -> second.waitFor(event)).isInstanceOf(DeviceLostException.class);
    }

    @Test
    void closedStreamsRefuseWorkAndForeignEventsAreRefused() {
        DeviceStream closed = device.createStream();
        closed.close();
        closed.close();
        assertThatThrownBy(closed::record).isInstanceOf(ClosedException.class);
        BackendDevice other = new ToyProvider().open(BackendConfig.DEFAULT).open(new DeviceId("toy", 1, ""));
        try (DeviceStream foreign = other.createStream()) {
            DeviceStream.Event event = foreign.record();
            assertThatThrownBy(() -> first.waitFor(event)).isInstanceOf(ToyAccessException.class);
        }
        other.close();
    }
}

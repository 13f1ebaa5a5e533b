package dev.weft.spi.support;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceMemoryException;
import dev.weft.spi.DeviceBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is allocated is counted, aligned, and freed once, after the streams. */
class DeviceMemoryTest {
    private static final long DEVICE_BYTES = 10_000;

    private final DeviceThread thread = new DeviceThread("memory test");
    private final Device device = new Device();

    /** A device of little memory whose allocations start at odd multiples of 32. */
    private static final class Device implements DeviceMemory.Source {
        private final Map<Long, Long> live = new HashMap<>();
        private long next = 32;
        private int waits;

        @Override
        public long startAlignment() {
            return 32;
        }

        @Override
        public long allocate(long bytes) {
            if (bytes > freeBytes().orElseThrow()) {
                throw new DeviceMemoryException("malloc(" + bytes + ") failed");
            }
            long address = next;
            next += (bytes + 63) / 64 * 64;
            live.put(address, bytes);
            return address;
        }

        @Override
        public void free(long address) {
            assertThat(live.remove(address)).isNotNull();
        }

        @Override
        public OptionalLong freeBytes() {
            return OptionalLong.of(
                    DEVICE_BYTES - live.values().stream().mapToLong(b -> b).sum());
        }

        @Override
        public void awaitStreams() {
            waits++;
        }
    }

    @AfterEach
    void end() {
        thread.close();
    }

    @Test
    void addressesAreAligned() {
        DeviceMemory memory = new DeviceMemory("device", thread, 0, device);
        for (long alignment = 1; alignment <= 1024; alignment *= 2) {
            try (DeviceBuffer buffer = memory.allocate(100, alignment)) {
                assertThat(buffer.address() % alignment).isZero();
                assertThat(buffer.bytes()).isEqualTo(100);
                long start = device.live.keySet().iterator().next();
                assertThat(buffer.address()).isBetween(start, start + device.live.get(start) - 100);
            }
        }
        assertThat(device.live).isEmpty();
    }

    @Test
    void freesOnceAndAfterTheStreams() {
        DeviceMemory memory = new DeviceMemory("device", thread, 0, device);
        DeviceBuffer buffer = memory.allocate(0, 32);
        assertThat(memory.liveBytes()).isPositive();
        buffer.close();
        buffer.close();
        assertThat(device.waits).isEqualTo(1);
        assertThat(memory.liveBytes()).isZero();
        DeviceBuffer left = memory.allocate(64, 32);
        assertThat(thread.<Integer>call(memory::close)).isEqualTo(1);
        left.close();
        assertThat(device.live).isEmpty();
        assertThatThrownBy(() -> memory.allocate(1, 1)).isInstanceOf(dev.weft.ClosedException.class);
    }

    @Test
    void whatDoesNotFitIsToldWithNumbers() {
        DeviceMemory memory = new DeviceMemory("device", thread, 0, device);
        memory.allocate(6000, 32);
        assertThatThrownBy(() -> memory.allocate(5000, 32))
                .isInstanceOf(DeviceMemoryException.class)
                .hasMessageContainingAll(
                        "device: allocation of 5000", "4000 bytes are free", "6000 bytes in 1", "malloc");
        DeviceMemory limited = new DeviceMemory("device", thread, 1000, device);
        limited.allocate(600, 32);
        assertThatThrownBy(() -> limited.allocate(500, 32)).hasMessageContainingAll("400 free of the limit of 1000");
        assertThat(limited.availableBytes()).hasValue(400);
        assertThatThrownBy(() -> memory.allocate(-1, 32)).isInstanceOf(DeviceMemoryException.class);
        assertThatThrownBy(() -> memory.allocate(1, 3)).hasMessageContaining("power of two");
    }
}

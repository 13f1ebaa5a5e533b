package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.natives.NativeLibrary;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Variants, memory and lifetimes. */
class CpuDeviceTest {
    private final CpuBackend backend = Cpu.backend(BackendConfig.DEFAULT.withThreads(2));
    private final CpuDevice device = Cpu.open(backend, "");

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void theBestVariantIsUsedIfNoneIsNamed() {
        List<String> variants = device.info().variants();
        assertThat(variants).endsWith("scalar");
        CpuDevice best = Cpu.open(backend, variants.getFirst());
        assertThat(device.info().description())
                .isEqualTo(best.info().description())
                .contains("2 threads");
        assertThat(Cpu.open(backend, "scalar").info().tier()).isEqualTo("reference");
    }

    @Test
    void withoutNativeKernelsJavaOnesAreUsed() {
        try (CpuBackend java = new CpuBackend(BackendConfig.DEFAULT, new NativeLibrary.Absent("not built"))) {
            List<String> expected = VectorApi.isPresent() ? List.of("vector", "scalar") : List.of("scalar");
            assertThat(java.devices().getFirst().variants()).isEqualTo(expected);
            RandomCall first = RandomCall.all().getFirst();
            float[] scalar = first.floats(first.run(Cpu.open(java, "scalar")), 0);
            assertThat(first.floats(first.run(Cpu.open(java, "")), 0)).containsExactly(scalar, within(1e-3f));
        }
    }

    @Test
    void aPropertyForcesAVariant() {
        try {
            System.setProperty(CpuBackend.VARIANT, "scalar");
            assertThat(backend.devices().getFirst().tier()).isEqualTo("reference");
            System.setProperty(CpuBackend.VARIANT, "abacus");
            assertThatThrownBy(() -> Cpu.open(backend, ""))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("abacus", "scalar");
        } finally {
            System.clearProperty(CpuBackend.VARIANT);
        }
        assertThatThrownBy(() -> backend.open(DeviceId.parse("cpu:1")))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContaining("cpu:0");
    }

    @Test
    void theMemoryLimitIsKept() {
        try (CpuBackend small = Cpu.backend(BackendConfig.DEFAULT.withMemoryLimit(8192))) {
            CpuDevice limited = Cpu.open(small, "");
            DeviceBuffer held = limited.allocate(5000, 64);
            assertThatThrownBy(() -> limited.allocate(4000, 64))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll("4000", "3192", "8192");
            held.close();
            limited.allocate(8192, 64).close();
            assertThat(limited.memory().liveBytes()).isZero();
        }
        assertThatThrownBy(() -> device.allocate(Long.MAX_VALUE, 64)).isInstanceOf(DeviceMemoryException.class);
    }

    @Test
    void addressesAreAlignedAndEveryByteIsUsable() {
        for (long bytes : new long[] {0, 1, 4097, 5L << 20}) {
            try (DeviceBuffer buffer = device.allocate(bytes, 4096)) {
                assertThat(buffer.address() % 4096).isZero();
                device.zero(buffer.address(), bytes);
                if (bytes >= 2 << 20) {
                    assertThat(buffer.address() % (2 << 20)).isZero();
                }
            }
        }
    }

    @Test
    void nothingIsLeftAfterManyAllocations() {
        List<DeviceBuffer> window = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            window.add(device.allocate(i % 5000, 64));
            if (window.size() == 16) {
                window.forEach(DeviceBuffer::close);
                window.clear();
            }
        }
        assertThat(device.memory().liveCount()).isZero();
        assertThat(device.memory().liveBytes()).isZero();
    }

    @Test
    void closingTwiceIsHarmlessAndUseAfterCloseIsRefused() {
        DeviceBuffer buffer = device.allocate(64, 64);
        DeviceBuffer left = device.allocate(64, 64);
        DeviceStream stream = device.createStream();
        DeviceStream open = device.createStream();
        buffer.close();
        buffer.close();
        stream.close();
        stream.close();
        assertThatThrownBy(buffer::address).isInstanceOf(ClosedException.class);
        assertThatThrownBy(stream::synchronize).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> stream.copyIn(MemorySegment.NULL, 0)).isInstanceOf(ClosedException.class);
        device.close();
        device.close();
        assertThatThrownBy(() -> device.allocate(1, 64)).isInstanceOf(ClosedException.class);
        assertThatThrownBy(device::createStream).isInstanceOf(ClosedException.class);
        assertThatThrownBy(open::synchronize).isInstanceOf(ClosedException.class);
        assertThatCode(left::close).doesNotThrowAnyException();
        assertThatCode(open::close).doesNotThrowAnyException();
        assertThat(device.memory().liveCount()).isZero();
    }

    @Test
    void aDeviceServesSeveralThreads() {
        RandomCall c = RandomCall.all().getFirst();
        byte[] expected = c.run(device).getFirst();
        List<CompletableFuture<byte[]>> runs = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            runs.add(CompletableFuture.supplyAsync(() -> c.run(device).getFirst()));
        }
        runs.forEach(r -> assertThat(r.join()).isEqualTo(expected));
    }
}

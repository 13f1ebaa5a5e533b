package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.WeftException;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory, copies, streams and lifetimes on the emulator, which must find nothing to complain about. */
class AscendDeviceTest {
    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    private static DeviceId id(int ordinal) {
        return new DeviceId("ascend", ordinal, "");
    }

    private static byte[] random(int bytes, long seed) {
        byte[] data = new byte[bytes];
        new Random(seed).nextBytes(data);
        return data;
    }

    private static byte[] read(BackendDevice device, long address, int bytes) {
        byte[] data = new byte[bytes];
        device.copyOut(address, MemorySegment.ofArray(data));
        return data;
    }

    @Test
    void theEmulatorIsNamedWhereverADeviceIsDescribed() {
        try (AscendBackend backend = emulator.open()) {
            assertThat(backend.devices()).singleElement().satisfies(d -> {
                assertThat(d.tier()).isEqualTo("emulator");
                assertThat(d.description()).contains("EMULATOR", "Ascend950DT");
                assertThat(d.memoryBytes()).isPositive();
                assertThat(d.variants()).containsExactly("composite");
            });
            try (BackendDevice device = backend.open(DeviceId.parse("ascend:0/composite"))) {
                assertThat(device.info().tier()).isEqualTo("emulator");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 31, 64, 4096, 4 << 20, (9 << 20) + 5})
    void copiesOfEverySizeComeBack(int bytes) {
        try (AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(bytes, 256)) {
            byte[] data = random(bytes, 1);
            assertThat(buffer.address() % 256).isZero();
            device.copyIn(MemorySegment.ofArray(data), buffer.address());
            assertThat(read(device, buffer.address(), bytes)).isEqualTo(data);
            device.zero(buffer.address(), bytes);
            assertThat(read(device, buffer.address(), bytes)).containsOnly(bytes == 0 ? new byte[0] : new byte[1]);
        }
    }

    @Test
    void aStreamDeliversWhatItCopiedOut() {
        byte[] data = random(10 << 20, 2);
        byte[] back = new byte[data.length];
        try (AscendBackend backend = emulator.with("delay", "2000").open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(data.length, 64);
                DeviceStream stream = device.createStream()) {
            stream.copyIn(MemorySegment.ofArray(data), buffer.address());
            stream.copyOut(buffer.address(), MemorySegment.ofArray(back));
            stream.synchronize();
            assertThat(back).isEqualTo(data);
        }
    }

    /** A column of a matrix to a place of its own and back into another column, behind what the stream held. */
    @Test
    void piecesAreCopiedWithinTheDevice() {
        byte[] matrix = random(5 * 8, 4);
        byte[] back = new byte[matrix.length];
        try (AscendBackend backend = emulator.with("delay", "500").open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(128, 64);
                DeviceStream stream = device.createStream()) {
            long column = buffer.address() + 64;
            stream.copyIn(MemorySegment.ofArray(matrix), buffer.address());
            stream.copy(buffer.address() + 3, 8, column, 2, 2, 5);
            stream.copy(column, 2, buffer.address() + 6, 8, 2, 5);
            stream.copy(buffer.address(), 40, column, 40, 40, 1);
            stream.copy(column, 40, column, 40, 0, 1);
            stream.copyOut(column, MemorySegment.ofArray(back));
            stream.synchronize();
            for (int row = 0; row < 5; row++) {
                matrix[8 * row + 6] = matrix[8 * row + 3];
                matrix[8 * row + 7] = matrix[8 * row + 4];
            }
            assertThat(back).isEqualTo(matrix);
        }
    }

    @Test
    void eventsOrderStreams() {
        byte[] data = random(1 << 20, 3);
        byte[] back = new byte[data.length];
        try (AscendBackend backend = emulator.with("delay", "500").open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(data.length, 64);
                DeviceStream first = device.createStream();
                DeviceStream second = device.createStream()) {
            for (int i = 0; i < 20; i++) {
                data[0] = (byte) i;
                first.copyIn(MemorySegment.ofArray(data), buffer.address());
                second.waitFor(first.record());
                second.copyOut(buffer.address(), MemorySegment.ofArray(back));
                DeviceStream.Event read = second.record();
                first.waitFor(read);
                read.synchronize();
                assertThat(read.isDone()).isTrue();
                assertThat(back).isEqualTo(data);
            }
        }
    }

    @Test
    void manyEventsAreRecycled() {
        try (AscendBackend backend = emulator.with("delay", "0").open();
                BackendDevice device = backend.open(id(0));
                DeviceStream stream = device.createStream()) {
            for (int i = 0; i < 70_000; i += 1000) { // more than a device has
                for (int j = 0; j < 1000; j++) {
                    stream.record();
                }
                stream.synchronize();
            }
        }
    }

    @Test
    void memoryThatDoesNotFitIsRefusedWithNumbers() {
        try (AscendBackend backend =
                        emulator.with("memory", Long.toString(64 << 20)).open();
                BackendDevice device = backend.open(id(0))) {
            assertThatThrownBy(() -> device.allocate(1L << 30, 64))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll("device ascend:0", "1073741824 bytes", "free on the device");
            device.allocate(1 << 20, 64).close();
        }
    }

    @Test
    void theMemoryLimitIsKept() {
        try (AscendBackend backend = emulator.open(BackendConfig.DEFAULT.withMemoryLimit(1 << 20));
                BackendDevice device = backend.open(id(0))) {
            assertThatThrownBy(() -> device.allocate(2 << 20, 64))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll("2097152 bytes", "limit of 1048576");
            assertThat(device.availableBytes()).hasValue(1 << 20);
        }
    }

    @Test
    void virtualThreadsMayUseADevice() throws Exception {
        try (AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<java.util.concurrent.Callable<Void>> work = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                int seed = i;
                work.add(() -> {
                    byte[] data = random(50_000, seed);
                    try (DeviceBuffer buffer = device.allocate(data.length, 64);
                            DeviceStream stream = device.createStream()) {
                        stream.copyIn(MemorySegment.ofArray(data), buffer.address());
                        Thread.yield();
                        stream.synchronize();
                        assertThat(read(device, buffer.address(), data.length)).isEqualTo(data);
                    }
                    return null;
                });
            }
            for (var done : threads.invokeAll(work)) {
                done.get();
            }
        }
    }

    @Test
    void devicesCloseInAnyOrder() {
        emulator.with("devices", "4");
        for (List<Integer> order : List.of(List.of(0, 1, 2, 3), List.of(3, 2, 1, 0), List.of(2, 0, 3, 1))) {
            try (AscendBackend backend = emulator.open()) {
                List<BackendDevice> devices = new ArrayList<>();
                List<DeviceStream> streams = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    devices.add(backend.open(id(i)));
                    streams.add(devices.get(i).createStream());
                    devices.get(i).allocate(1000, 64);
                }
                for (int i : order) {
                    if (i % 2 == 0) {
                        streams.get(i).close();
                    }
                    devices.get(i).close();
                    devices.get(i).close();
                    streams.get(i).close();
                }
            }
        }
    }

    @Test
    void oneDeviceOpensTwice() {
        try (AscendBackend backend = emulator.open();
                BackendDevice a = backend.open(id(0));
                BackendDevice b = backend.open(DeviceId.parse("ascend:0/composite"))) {
            DeviceBuffer kept = b.allocate(64, 64);
            a.close();
            b.zero(kept.address(), 64);
            assertThat(read(b, kept.address(), 64)).containsOnly(0);
            try (DeviceStream stream = b.createStream()) {
                assertThatThrownBy(() -> AscendStream.of(stream, (AscendDevice) a))
                        .isInstanceOf(WeftException.class)
                        .hasMessageContaining("a stream of its own");
            }
        }
    }

    @Test
    void backendsShareTheProcess() {
        AscendBackend first = emulator.open();
        AscendBackend second = emulator.open();
        first.close();
        try (BackendDevice device = second.open(id(0))) {
            device.allocate(64, 64).close();
        }
        second.close();
        second.close();
    }

    @Test
    void useAfterCloseIsRefused() {
        AscendBackend backend = emulator.open();
        BackendDevice device = backend.open(id(0));
        DeviceBuffer buffer = device.allocate(64, 64);
        DeviceStream stream = device.createStream();
        DeviceStream open = device.createStream();
        stream.close();
        stream.close();
        assertThatThrownBy(stream::synchronize).isInstanceOf(ClosedException.class);
        assertThatThrownBy(stream::record).isInstanceOf(ClosedException.class);
        device.close();
        for (var use : List.<org.assertj.core.api.ThrowableAssert.ThrowingCallable>of(
                () -> device.allocate(1, 64),
                device::createStream,
                open::synchronize,
                () -> device.zero(buffer.address(), 64),
                () -> device.copyIn(MemorySegment.ofArray(new byte[4]), buffer.address()),
                () -> device.copyOut(buffer.address(), MemorySegment.ofArray(new byte[4])),
                device::availableBytes)) {
            assertThatThrownBy(use).isInstanceOf(ClosedException.class).hasMessageContaining("ascend:0");
        }
        buffer.close();
        buffer.close();
        open.close();
        backend.close();
        assertThatThrownBy(() -> backend.open(id(0))).isInstanceOf(ClosedException.class);
    }

    @Test
    void aBackendClosesWhatIsOpen() {
        AscendBackend backend = emulator.with("devices", "2").open();
        for (int i = 0; i < 2; i++) {
            BackendDevice device = backend.open(id(i));
            device.allocate(1 << 20, 64);
            DeviceStream stream = device.createStream();
            stream.record();
        }
        backend.close();
    }

    @Test
    void closingWaitsForWorkUnderWay() throws InterruptedException {
        byte[] data = random(1 << 20, 4);
        for (int round = 0; round < 10; round++) {
            AscendBackend backend = emulator.with("delay", "3000").open();
            BackendDevice device = backend.open(id(0));
            DeviceBuffer buffer = device.allocate(data.length, 64);
            Thread worker = Thread.ofVirtual().start(() -> {
                try (DeviceStream stream = device.createStream()) {
                    while (true) {
                        stream.copyIn(MemorySegment.ofArray(data), buffer.address());
                        stream.synchronize();
                    }
                } catch (ClosedException e) {
                    // the device went away between two calls
                }
            });
            Thread.sleep(20);
            device.close();
            worker.join();
            backend.close();
        }
    }

    @Test
    void unknownDevicesAndVariantsAreNamed() {
        try (AscendBackend backend = emulator.open()) {
            assertThatThrownBy(() -> backend.open(id(7)))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("ascend:7", "ascend:0");
            assertThatThrownBy(() -> backend.open(DeviceId.parse("ascend:0/fused")))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("fused", "composite");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"aclrtGetDeviceCount", "aclrtSetDevice", "aclrtCreateContext"})
    void aFailureToOpenLeavesNothing(String function) {
        emulator.with("fail", function + ":1:507899");
        assertThatThrownBy(() -> {
                    try (AscendBackend backend = emulator.open()) {
                        backend.open(id(0)).close();
                    }
                })
                .isInstanceOf(WeftException.class)
                .hasMessageContainingAll(function, "507899");
        emulator.with("fail", "");
        try (AscendBackend backend = emulator.open()) {
            backend.open(id(0)).close();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "weft.ascend.timeout=0",
                "weft.ascend.graphs=x",
                "weft.ascend.capture=maybe",
                "weft.ascend.probe=1"
            })
    void settingsOutOfRangeAreNamed(String setting) {
        String[] parts = setting.split("=");
        assertThatThrownBy(() -> emulator.open(BackendConfig.DEFAULT.with(parts[0], parts[1])))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContainingAll(setting, "expected");
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "0", "3"})
    void determinismIsAskedOfTheRuntime(String level) {
        try (AscendBackend backend = emulator.open(BackendConfig.DEFAULT.with(AscendOptions.DETERMINISTIC, level));
                BackendDevice device = backend.open(id(0))) {
            assertThat(device.info().id()).isEqualTo(id(0));
        }
    }

    /** As in a runtime that is too old for it. */
    @Test
    void determinismThatTheRuntimeLacksIsAnError() {
        emulator.with("fail", "aclrtSetSysParamOpt:1:207000");
        try (AscendBackend backend = emulator.open(BackendConfig.DEFAULT.with(AscendOptions.DETERMINISTIC, "true"))) {
            assertThatThrownBy(() -> backend.open(id(0)))
                    .isInstanceOf(WeftException.class)
                    .hasMessageContainingAll("aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC", "207000");
        }
    }

    @Test
    void segmentsOfConfinedArenasMayBeCopied() {
        try (AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(64, 64);
                DeviceStream stream = device.createStream();
                Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(64).fill((byte) 9);
            MemorySegment back = arena.allocate(64);
            stream.copyIn(data, buffer.address());
            stream.copyOut(buffer.address(), back);
            stream.synchronize();
            assertThat(back.toArray(ValueLayout.JAVA_BYTE)).containsOnly(9);
        }
    }
}

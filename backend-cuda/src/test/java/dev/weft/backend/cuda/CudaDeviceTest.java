package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.DeviceMemoryException;
import dev.weft.TensorType;
import dev.weft.WeftException;
import dev.weft.op.OpInstance;
import dev.weft.op.Scale;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory, copies, streams and lifetimes on the emulator, which must find nothing to complain about. */
class CudaDeviceTest {
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
        return new DeviceId("cuda", ordinal, "");
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
        try (CudaBackend backend = emulator.open()) {
            assertThat(backend.devices()).singleElement().satisfies(d -> {
                assertThat(d.tier()).isEqualTo("emulator");
                assertThat(d.description()).contains("EMULATOR", "sm_90");
                assertThat(d.memoryBytes()).isPositive();
                assertThat(d.variants()).containsExactly("simple");
            });
            try (BackendDevice device = backend.open(DeviceId.parse("cuda:0/simple"))) {
                assertThat(device.info().tier()).isEqualTo("emulator");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 31, 64, 4096, 4 << 20, (9 << 20) + 5})
    void copiesOfEverySizeComeBack(int bytes) {
        try (CudaBackend backend = emulator.open();
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
        try (CudaBackend backend = emulator.with("delay", "2000").open();
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
        try (CudaBackend backend = emulator.with("delay", "500").open();
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
        try (CudaBackend backend = emulator.with("delay", "500").open();
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
        try (CudaBackend backend = emulator.with("delay", "0").open();
                BackendDevice device = backend.open(id(0));
                DeviceStream stream = device.createStream()) {
            for (int i = 0; i < 20_000; i += 1000) {
                for (int j = 0; j < 1000; j++) {
                    stream.record();
                }
                stream.synchronize();
            }
        }
    }

    @Test
    void memoryThatDoesNotFitIsRefusedWithNumbers() {
        try (CudaBackend backend =
                        emulator.with("memory", Long.toString(64 << 20)).open();
                BackendDevice device = backend.open(id(0))) {
            assertThatThrownBy(() -> device.allocate(1L << 30, 64))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll("device cuda:0", "1073741824 bytes", "free on the device");
            device.allocate(1 << 20, 64).close();
        }
    }

    @Test
    void theMemoryLimitIsKept() {
        try (CudaBackend backend = emulator.open(BackendConfig.DEFAULT.withMemoryLimit(1 << 20));
                BackendDevice device = backend.open(id(0))) {
            assertThatThrownBy(() -> device.allocate(2 << 20, 64))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll("2097152 bytes", "limit of 1048576");
            assertThat(device.availableBytes()).hasValue(1 << 20);
        }
    }

    @Test
    void virtualThreadsMayUseADevice() throws Exception {
        try (CudaBackend backend = emulator.open();
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
            try (CudaBackend backend = emulator.open()) {
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
        try (CudaBackend backend = emulator.open();
                BackendDevice a = backend.open(id(0));
                BackendDevice b = backend.open(DeviceId.parse("cuda:0/simple"))) {
            DeviceBuffer kept = b.allocate(64, 64);
            a.close();
            b.zero(kept.address(), 64);
            assertThat(read(b, kept.address(), 64)).containsOnly(0);
            try (DeviceStream stream = b.createStream()) {
                assertThatThrownBy(() -> CudaStream.of(stream, (CudaDevice) a))
                        .isInstanceOf(WeftException.class)
                        .hasMessageContaining("a stream of its own");
            }
        }
    }

    @Test
    void backendsShareTheProcess() {
        CudaBackend first = emulator.open();
        CudaBackend second = emulator.open();
        first.close();
        try (BackendDevice device = second.open(id(0))) {
            device.allocate(64, 64).close();
        }
        second.close();
        second.close();
    }

    @Test
    void useAfterCloseIsRefused() {
        CudaBackend backend = emulator.open();
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
            assertThatThrownBy(use).isInstanceOf(ClosedException.class).hasMessageContaining("cuda:0");
        }
        buffer.close();
        buffer.close();
        open.close();
        backend.close();
        assertThatThrownBy(() -> backend.open(id(0))).isInstanceOf(ClosedException.class);
    }

    @Test
    void aBackendClosesWhatIsOpen() {
        CudaBackend backend = emulator.with("devices", "2").open();
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
            CudaBackend backend = emulator.with("delay", "3000").open();
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
        try (CudaBackend backend = emulator.open()) {
            assertThatThrownBy(() -> backend.open(id(7)))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("cuda:7", "cuda:0");
            assertThatThrownBy(() -> backend.open(DeviceId.parse("cuda:0/fused")))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("fused", "simple");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cuDeviceGet:101",
                "cuDeviceGetName:101",
                "cuDeviceGetPCIBusId:101",
                "cuDeviceTotalMem_v2:101",
                "cuDeviceGetAttribute:101",
                "cuDevicePrimaryCtxRetain:2",
                "cuDevicePrimaryCtxRetain:46",
                "cuCtxSetCurrent:201",
                "cuStreamCreate:2",
                "cuMemHostAlloc:2"
            })
    void aFailureToOpenLeavesNothing(String failure) {
        String function = failure.substring(0, failure.indexOf(':'));
        String code = failure.substring(failure.indexOf(':') + 1);
        emulator.with("fail", function + ":1:" + code);
        assertThatThrownBy(this::openAndCopy)
                .isInstanceOf(WeftException.class)
                .hasMessageContainingAll(function, "returned " + code);
        emulator.with("fail", "");
        openAndCopy();
    }

    private void openAndCopy() {
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(64, 64)) {
            device.copyIn(MemorySegment.ofArray(random(64, 5)), buffer.address());
            assertThat(read(device, buffer.address(), 64)).isEqualTo(random(64, 5));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cuMemcpyHtoDAsync_v2:1",
                "cuMemcpyDtoHAsync_v2:1",
                "cuMemsetD8Async:1",
                "cuEventCreate:2",
                "cuEventRecord:1",
                "cuEventQuery:1",
                "cuStreamWaitEvent:1",
                "cuStreamQuery:1"
            })
    void aFailedCallIsToldOnceAndTheStreamGoesOn(String failure) {
        String function = failure.substring(0, failure.indexOf(':'));
        byte[] data = random(1000, 6);
        byte[] back = new byte[data.length];
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(data.length, 64);
                DeviceStream stream = device.createStream();
                DeviceStream other = device.createStream()) {
            emulator.with("fail", function + ":1:" + failure.substring(failure.indexOf(':') + 1));
            assertThatThrownBy(() -> {
                        device.zero(buffer.address(), data.length);
                        roundTrip(stream, other, buffer, data, back);
                    })
                    .isInstanceOf(WeftException.class)
                    .hasMessageContaining(function);
            stream.synchronize();
            Arrays.fill(back, (byte) 0);
            roundTrip(stream, other, buffer, data, back);
            assertThat(back).isEqualTo(data);
        }
    }

    /** What cannot be freed is a leak, and nothing else. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "cuMemFree_v2:1",
                "cuMemFreeHost:1",
                "cuStreamDestroy_v2:1",
                "cuEventDestroy_v2:1",
                "cuModuleUnload:1",
                "cuCtxSetCurrent:2",
                "cuMemGetInfo_v2:1"
            })
    void aFailureToFreeKeepsNothingElse(String failure) {
        emulator.with("fail", failure + ":1");
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(64, 64);
                DeviceStream stream = device.createStream()) {
            OpInstance op = OpInstance.of(new Scale(1), List.of(TensorType.of(DType.F32, 4)));
            assertThat(device.supports(op).isSupported()).isTrue();
            assertThat(device.availableBytes().isPresent()).isEqualTo(!failure.startsWith("cuMemGetInfo"));
            roundTrip(stream, stream, buffer, random(64, 7), new byte[64]);
        }
        assertThat(emulator.faults().lines().count()).isLessThanOrEqualTo(1);
        openAndCopy();
    }

    private static void roundTrip(
            DeviceStream stream, DeviceStream other, DeviceBuffer buffer, byte[] data, byte[] back) {
        stream.copyIn(MemorySegment.ofArray(data), buffer.address());
        DeviceStream.Event written = stream.record();
        other.waitFor(written);
        other.copyOut(buffer.address(), MemorySegment.ofArray(back));
        other.synchronize();
        written.synchronize();
        stream.synchronize();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"weft.cuda.timeout=0", "weft.cuda.graphs=x", "weft.cuda.capture=maybe", "weft.cuda.overlap=1"})
    void settingsOutOfRangeAreNamed(String setting) {
        String[] parts = setting.split("=");
        assertThatThrownBy(() -> emulator.open(BackendConfig.DEFAULT.with(parts[0], parts[1])))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContainingAll(setting, "expected");
    }

    @Test
    void detailsNameWhatWasFoundAndWhatWasNot() {
        try (CudaBackend backend = emulator.with("devices", "2").open()) {
            assertThat(backend.details())
                    .anyMatch(line -> line.startsWith("driver: " + Emulator.library()) && line.contains("EMULATOR"))
                    .anyMatch(line -> line.startsWith("device 1: ") && line.contains("sm_90, "))
                    .anyMatch(line -> line.startsWith("images for sm_90: as ") && line.contains("plain.sm_90a"))
                    .anyMatch(line -> line.startsWith("optional nvrtc: "))
                    .anyMatch(line -> line.startsWith("optional cublaslt: "))
                    .anyMatch(line -> line.startsWith("ranks: EMULATOR of NCCL 2.27.3, "));
        }
    }

    @Test
    void workThatNeverEndsLosesTheDevice() {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.TIMEOUT, "1");
        try (CudaBackend backend = emulator.with("delay", "1000000").open(config);
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(64, 64);
                DeviceStream stream = device.createStream()) {
            for (int i = 0; i < 6; i++) { // half a second each
                stream.copyIn(MemorySegment.ofArray(new byte[64]), buffer.address());
            }
            assertThatThrownBy(stream::synchronize)
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContainingAll("stream 1", "nothing came within 1 s", "-Dweft.cuda.timeout");
            assertThatThrownBy(() -> device.allocate(1, 1)).isInstanceOf(DeviceLostException.class);
        }
        // nothing was freed, since it would have waited; now the work ends, and so does the context
        Driver driver = ((DriverLibrary.Opened) DriverLibrary.open()).library().driver();
        assertThat(driver.cuDevicePrimaryCtxRelease(0)).isZero();
        assertThat(emulator.faults()).contains("leak", "1 of kind stream");
    }

    @Test
    void segmentsOfConfinedArenasMayBeCopied() {
        try (CudaBackend backend = emulator.open();
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

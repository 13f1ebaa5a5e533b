package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
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
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What only these devices have, on the emulator, which must find nothing to complain about; the rest is {@link CudaDevicesTest}. */
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
                assertThat(d.variants()).contains("simple", "fp8");
            });
            try (BackendDevice device = backend.open(DeviceId.parse("cuda:0/simple"))) {
                assertThat(device.info().tier()).isEqualTo("emulator");
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
    void aStreamBelongsToTheDeviceThatMadeIt() {
        try (CudaBackend backend = emulator.open();
                BackendDevice a = backend.open(id(0));
                BackendDevice b = backend.open(DeviceId.parse("cuda:0/simple"));
                DeviceStream stream = b.createStream()) {
            assertThatThrownBy(() -> CudaStream.of(stream, (CudaDevice) a))
                    .isInstanceOf(WeftException.class)
                    .hasMessageContaining("a stream of its own");
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
}

package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.DeviceId;
import dev.weft.DeviceMemoryException;
import dev.weft.WeftException;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What only these devices have, on the emulator, which must find nothing to complain about; the rest is {@link AscendDevicesTest}. */
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
    void aStreamBelongsToTheDeviceThatMadeIt() {
        try (AscendBackend backend = emulator.open();
                BackendDevice a = backend.open(id(0));
                BackendDevice b = backend.open(DeviceId.parse("ascend:0/composite"));
                DeviceStream stream = b.createStream()) {
            assertThatThrownBy(() -> AscendStream.of(stream, (AscendDevice) a))
                    .isInstanceOf(WeftException.class)
                    .hasMessageContaining("a stream of its own");
        }
    }

    /** Whoever heard of the failure may have given up what it was copied to. */
    @Test
    void aFailedWaitDeliversNothingLater() {
        String wait = "aclrtSynchronizeStreamWithTimeout";
        emulator.with("fail", wait + ":1:107000," + wait + ":2:107000");
        byte[] data = random(64, 1);
        byte[] given = new byte[64];
        byte[] next = new byte[64];
        try (AscendBackend backend = emulator.open();
                BackendDevice device = backend.open(id(0));
                DeviceBuffer buffer = device.allocate(64, 64);
                DeviceStream stream = device.createStream()) {
            device.copyIn(MemorySegment.ofArray(data), buffer.address());
            stream.copyOut(buffer.address(), MemorySegment.ofArray(given));
            assertThatThrownBy(stream::synchronize)
                    .isInstanceOf(WeftException.class)
                    .hasMessageContaining("107000");
            assertThatThrownBy(stream::synchronize)
                    .isInstanceOf(WeftException.class)
                    .hasMessageContaining("107000");
            stream.copyOut(buffer.address(), MemorySegment.ofArray(next));
            stream.synchronize();
            assertThat(next).isEqualTo(data);
            assertThat(given).isEqualTo(new byte[64]);
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
}

package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.HardwareLimit;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernels that measure a device, and its clock; what they say of the emulator is never shown. */
class LimitsTest {
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

    @ParameterizedTest
    @CsvSource({"80, false", "89, false", "90, true", "100, false"})
    void everyUnitOfAChipIsKeptBusy(String sm, boolean hasFp8) {
        try (CudaBackend backend = emulator.with("sm", sm).open();
                CudaDevice device = (CudaDevice) backend.open(new DeviceId("cuda", 0, ""))) {
            Set<HardwareLimit> kinds = device.limits();
            assertThat(kinds).contains(HardwareLimit.READ, HardwareLimit.F32_FMA, HardwareLimit.BF16_DOT);
            assertThat(kinds.contains(HardwareLimit.FP8_DOT)).isEqualTo(hasFp8);
            for (HardwareLimit kind : kinds) {
                if (kind != HardwareLimit.READ) {
                    assertThat(device.compute(kind, 1))
                            .as("%s", kind)
                            .isFinite()
                            .isPositive();
                }
            }
        }
    }

    /** Beginnings and ends that are no multiple of a load, as near to the end of the device's memory as can be. */
    @ParameterizedTest
    @CsvSource({"0, 64", "1, 64", "5, 100003", "0, 4194304"})
    void aReadStaysWithinItsMemory(int offset, int bytes) {
        try (CudaBackend backend = emulator.open();
                CudaDevice device = (CudaDevice) backend.open(new DeviceId("cuda", 0, ""));
                DeviceBuffer buffer = device.allocate(offset + bytes, 256)) {
            assertThat(device.read(buffer.address() + offset, bytes)).isFinite().isPositive();
        }
    }

    @Test
    void aDevicesClockCountsWhatItDoes() {
        try (CudaBackend backend = emulator.open();
                CudaDevice device = (CudaDevice) backend.open(new DeviceId("cuda", 0, ""));
                CudaStream stream = device.createStream()) {
            long pause = TimeUnit.MILLISECONDS.toNanos(30);
            long resolution = TimeUnit.MICROSECONDS.toNanos(1);
            assertThat(device.time(stream, () -> device.measuring().pause(stream, pause)))
                    .isGreaterThanOrEqualTo(pause - resolution);
            assertThat(device.time(stream, () -> {})).isPositive();
        }
    }

    @Test
    void aTimedRunComputesWhatARunDoes() {
        try (Weft weft = Weft.of(Emulator.backends())) {
            Device device = weft.device("cuda:0");
            CompiledGraph compiled = device.compile(Network.graph());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                assertThat(device.hasClock()).isTrue();
                float[] expected = Network.step(execution, 3, 7);
                for (int run = 0; run < 3; run++) { // call by call, recorded, replayed
                    assertThat(execution.time()).isPositive();
                    assertThat(execution.floats("y")).isEqualTo(expected);
                }
                long[] nanos = new long[compiled.graph().nodes().size()];
                execution.profile(nanos);
                assertThat(Arrays.stream(nanos).sum()).isPositive();
                assertThat(execution.floats("y")).isEqualTo(expected);
            }
        }
    }

    @Test
    void noFigureOfAnEmulatorIsToldAsALimit() {
        try (Weft weft = Weft.of(Emulator.backends())) {
            assertThat(weft.device("cuda:0").limits()).isEmpty();
        }
    }

    @Test
    void whatFailsWhileItIsTimedIsThrown() {
        try (CudaBackend backend = emulator.with("fail", "kernel:2:719").open();
                CudaDevice device = (CudaDevice) backend.open(new DeviceId("cuda", 0, ""))) {
            assertThatThrownBy(() -> device.compute(HardwareLimit.F32_FMA, 1))
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContaining("719");
        }
    }
}

package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.RequestException;
import dev.weft.TensorType;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceLimits;
import dev.weft.runtime.Tensor;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.HardwareLimit;
import org.junit.jupiter.api.Test;

/** Ceilings of every variant are there and finite; how high they are is no test. */
class CpuLimitsTest {
    @Test
    void everyVariantMeasuresWhatItSays() {
        try (Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(2))) {
            for (String variant : weft.deviceInfos().getFirst().variants()) {
                Device device = weft.device("cpu:0/" + variant);
                DeviceLimits limits = device.limits().orElseThrow();
                assertThat(limits.kinds()).contains(HardwareLimit.READ);
                assertThat(limits.measuredBy()).isNotEmpty();
                assertThat(device.threads()).isEqualTo(variant.equals("scalar") ? 1 : 2);
                try (Tensor memory =
                        device.tensor(TensorType.of(DType.U8, 100_003)).clear()) {
                    assertThat(limits.read(memory)).isFinite().isPositive();
                }
                for (HardwareLimit unit : limits.kinds()) {
                    if (unit != HardwareLimit.READ) {
                        assertThat(limits.compute(unit, 1_000_000)).isFinite().isPositive();
                    }
                }
            }
        }
    }

    @Test
    void nonsenseIsRefused() {
        try (Weft weft = Weft.open()) {
            Device device = weft.device("cpu:0");
            DeviceLimits limits = device.limits().orElseThrow();
            try (Tensor small = device.tensor(TensorType.of(DType.U8, 63))) {
                assertThatThrownBy(() -> limits.read(small))
                        .isInstanceOf(RequestException.class)
                        .hasMessageContaining("63 bytes");
            }
            assertThatThrownBy(() -> limits.compute(HardwareLimit.READ, 1)).isInstanceOf(RequestException.class);
            assertThatThrownBy(() -> limits.compute(HardwareLimit.F32_FMA, 0)).isInstanceOf(RequestException.class);
            Tensor closed = device.tensor(TensorType.of(DType.U8, 64));
            closed.close();
            assertThatThrownBy(() -> limits.read(closed)).isInstanceOf(ClosedException.class);
        }
    }
}

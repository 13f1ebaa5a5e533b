package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceId;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.kernel.Ten;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class StepValuesTest {
    private static final Ten POSITIONS = Ten.dense(1 << 20, AclType.INT32, 8);

    @Test
    void valuesLastUntilTheirOperandsAreWritten() {
        onDevice(values -> {
            values.begin();
            values.put("rows", List.of(POSITIONS), "value");
            values.written(POSITIONS.address() - 16, 16);
            values.written(POSITIONS.address() + POSITIONS.storageBytes(), 16);
            assertThat(values.<String>find("rows")).isEqualTo("value");
            values.written(POSITIONS.address() + 28, 4);
            assertThat(values.<String>find("rows")).isNull();
        });
    }

    @Test
    void everyRunBeginsAnewInTheSameMemory() {
        onDevice(values -> {
            values.begin();
            long small = values.allocate(100);
            long large = values.allocate(5 << 20);
            values.put("rows", List.of(POSITIONS), "value");
            values.begin();
            assertThat(values.<String>find("rows")).isNull();
            assertThat(values.allocate(100)).isEqualTo(small);
            assertThat(values.allocate(5 << 20)).isEqualTo(large);
        });
    }

    @Test
    void aRecordingMustNotNeedMoreThanTheRunBefore() {
        onDevice(values -> {
            values.begin();
            values.allocate(100);
            values.begin();
            values.freeze(true);
            values.allocate(100);
            assertThatThrownBy(() -> values.allocate(5 << 20))
                    .isInstanceOf(CaptureException.class)
                    .hasMessageContaining("more than the run before took");
            values.freeze(false);
            values.allocate(5 << 20);
        });
    }

    private static void onDevice(Consumer<StepValues> body) {
        try (Emulator emulator = Emulator.start();
                AscendBackend backend = emulator.open();
                AscendDevice device = (AscendDevice) backend.open(DeviceId.parse("ascend:0"))) {
            StepValues values = new StepValues(device.memory()::allocate, device.sizeRule());
            body.accept(values);
            values.close();
        }
    }
}

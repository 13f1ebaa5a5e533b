package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceId;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import dev.weft.conformance.ModelSize;
import dev.weft.op.OpInstance;
import dev.weft.runtime.RandomWeights;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** FP4 experts in the vendor's tiles: the host's bytes and the bytes of the vendor's operator. */
class PackingTest {
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

    private byte[] packed(OpInstance op, String packing) {
        BackendConfig config = BackendConfig.DEFAULT.with(AscendOptions.PACK, packing);
        TensorType type = op.inputs().get(1);
        try (AscendBackend backend = emulator.open(config);
                BackendDevice device = backend.open(DeviceId.parse("ascend:0"));
                Arena arena = Arena.ofConfined()) {
            WeightLayout.Packing layout =
                    ((WeightLayout) device).packing(op, 1).orElseThrow();
            try (DeviceBuffer buffer = device.allocate(layout.bytes(), 64)) {
                device.zero(buffer.address(), buffer.bytes());
                layout.pack(new RandomWeights(3).weight("w", type), buffer.address());
                MemorySegment host = arena.allocate(layout.bytes());
                device.copyOut(buffer.address(), host);
                return host.toArray(ValueLayout.JAVA_BYTE);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP4_EXPERTS", "NARROW_FP4_EXPERTS"})
    void theVendorsOperatorMakesTheSameBytes(ModelSize size) {
        byte[] expected = packed(size.op().instance(), "host");
        assertThat(expected).contains((byte) 0x12);
        assertThat(packed(size.op().instance(), "device")).isEqualTo(expected);
    }

    @Test
    void whatTheOperatorRefusesIsAnError() {
        emulator.with("fail", "aclnnWeightQuantPreprocessGetWorkspaceSize:1:161002");
        OpInstance op = ModelSize.FP4_EXPERTS.op().instance();
        assertThatThrownBy(() -> packed(op, "device"))
                .isInstanceOf(ShapeException.class)
                .hasMessageContainingAll("aclnnWeightQuantPreprocess", "161002");
    }
}

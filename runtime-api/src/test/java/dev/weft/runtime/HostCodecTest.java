package dev.weft.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Floats to tensor bytes and back, with block scales where they are. */
class HostCodecTest {
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16", "F16", "F8_E4M3", "F8_E5M2", "F4_E2M1"})
    void smallValuesSurvive(DType dtype) {
        float[] values = {0, 0.5f, 1, 1.5f, 2, 3, 4, -6, -0.5f, -1};
        TensorType type = TensorType.of(dtype, 2, 5);
        float[] back = new float[10];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(type.maxDataBytes());
            HostCodec.encode(type, values, bytes);
            HostCodec.decode(type, bytes, MemorySegment.NULL, back);
        }
        assertThat(back).isEqualTo(values);
    }

    @Test
    void eachBlockHasItsOwnScale() {
        // two matrices of 3 x 5 in blocks of 2 x 2: 2 x 3 scales each
        TensorType type = TensorType.of(DType.F8_E4M3, 2, 3, 5).scaled(new Scaling(2, 2));
        byte[] scales = new byte[12];
        for (int i = 0; i < 12; i++) {
            scales[i] = (byte) (127 + i);
        }
        byte[] ones = new byte[30];
        java.util.Arrays.fill(ones, (byte) DType.F8_E4M3.encode(1));
        float[] out = new float[30];
        HostCodec.decode(type, MemorySegment.ofArray(ones), MemorySegment.ofArray(scales), out);
        for (int m = 0; m < 2; m++) {
            for (int r = 0; r < 3; r++) {
                for (int c = 0; c < 5; c++) {
                    assertThat(out[(m * 3 + r) * 5 + c]).isEqualTo((float) Math.pow(2, m * 6 + r / 2 * 3 + c / 2));
                }
            }
        }
    }

    @Test
    void nibblesKeepTheirNeighbours() {
        MemorySegment b = MemorySegment.ofArray(new byte[] {(byte) 0xAB});
        HostCodec.setCode(DType.F4_E2M1, b, 0, 0x3);
        assertThat(b.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0xA3);
        HostCodec.setCode(DType.F4_E2M1, b, 1, 0xF);
        assertThat(b.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0xF3);
        assertThat(HostCodec.code(DType.F4_E2M1, b, 1)).isEqualTo(0xF);
    }

    @Test
    void floatsGoIntoUnscaledFloatTensorsOnly() {
        MemorySegment bytes = MemorySegment.ofArray(new byte[64]);
        TensorType scaled = TensorType.of(DType.F8_E4M3, 1, 2).scaled(Scaling.FP8_GROUP_128);
        assertThatThrownBy(() -> HostCodec.encode(scaled, new float[2], bytes))
                .isInstanceOf(DTypeException.class)
                .hasMessageContaining("quantize");
        assertThatThrownBy(() -> HostCodec.encode(TensorType.of(DType.I32, 2), new float[2], bytes))
                .isInstanceOf(DTypeException.class);
    }
}

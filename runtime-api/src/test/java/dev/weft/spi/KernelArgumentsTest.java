package dev.weft.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The words that kernels read, at the places that the native header gives them. */
class KernelArgumentsTest {
    private final TensorType x = TensorType.of(DType.BF16, Shape.of(Dim.named("n", 1, 9), Dim.fixed(3), Dim.fixed(5)));
    private final TensorType w = TensorType.of(DType.F8_E4M3, 256, 128).scaled(Scaling.FP8_BLOCK_128);

    @Test
    void operandsStartAtUpperBoundsAndTight() {
        try (Arena arena = Arena.ofConfined()) {
            KernelArguments a = new KernelArguments(List.of(x, w), arena);
            assertThat(a.count()).isEqualTo(2);
            assertThat(a.dims(0)).containsExactly(9, 3, 5);
            assertThat(a.pitch(0)).isEqualTo(15);
            assertThat(a.dim(0, -1)).isEqualTo(5);
            assertThat(a.elements(1)).isEqualTo(256 * 128);
            assertThat(a.address(0)).isZero();
            a.extent(0, 0, 4);
            a.pitch(0, 20);
            a.bind(1, 0x7000_0000_0000_0100L, 77);
            assertThat(a.dims(0)).containsExactly(4, 3, 5);
            assertThat(a.pitch(0)).isEqualTo(20);
            assertThat(a.type(0)).isEqualTo(x);
            assertThat(a.address(1)).isEqualTo(0x7000_0000_0000_0100L);
        }
    }

    @Test
    void wordsFollowTheNativeLayout() {
        try (Arena arena = Arena.ofConfined()) {
            KernelArguments a = new KernelArguments(List.of(x, w), arena);
            a.bind(1, 11, 12);
            long[] words = a.words().asSlice(8L * KernelArguments.WORDS).toArray(ValueLayout.JAVA_LONG);
            assertThat(words).containsExactly(11, 12, 3, 128L << 32 | 128, 2, 128, 256, 128, 0, 0);
            assertThat(a.words().byteSize()).isEqualTo(160);
        }
    }

    @Test
    void moreThanFourAxesAreRefused() {
        try (Arena arena = Arena.ofConfined()) {
            List<TensorType> types = List.of(TensorType.of(DType.F32, 1, 1, 1, 1, 1));
            assertThatThrownBy(() -> new KernelArguments(types, arena))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("operand 0");
        }
    }
}

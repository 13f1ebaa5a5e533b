package dev.weft.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Named dimensions, shapes, and the byte counts that memory is planned from. */
class ExtentsTest {
    private static final Dim TOKENS = Dim.named("tokens", 1, 100);

    @Test
    void aNamedExtentMayBeScaledAndShifted() {
        Dim d = TOKENS.times(6).plus(1);
        assertThat(d).hasToString("6*tokens+1");
        assertThat(d.at(7)).isEqualTo(43);
        assertThat(d.maximum()).isEqualTo(601);
        assertThat(d.plus(2).times(2)).isEqualTo(TOKENS.times(12).plus(6));
        assertThat(Dim.fixed(5).times(3).plus(1)).isEqualTo(Dim.fixed(16)).hasToString("16");
    }

    @ParameterizedTest
    @CsvSource({
        "tokens,1,0,5,4",
        "tokens,1,0,-1,4",
        "tokens,0,0,1,4",
        "tokens,-1,0,1,4",
        "tokens,1,-1,1,4",
        "'',1,0,0,0",
        "'',0,-1,0,0"
    })
    void impossibleDimensionsAreRefused(String name, long factor, long offset, long min, long max) {
        assertThatThrownBy(() -> new Dim(name, factor, offset, min, max))
                .isInstanceOf(ShapeException.class)
                .hasMessageContaining("name='" + name + "'");
    }

    @Test
    void shapesBindByName() {
        Shape s = Shape.of(TOKENS.plus(1), Dim.fixed(3));
        assertThat(s.isFixed()).isFalse();
        assertThat(s.bind(name -> 9)).containsExactly(10, 3);
        assertThat(s.maximum()).containsExactly(101, 3);
        assertThat(s.last()).isEqualTo(Dim.fixed(3));
        assertThat(s.dim(-2)).isEqualTo(TOKENS.plus(1));
        assertThat(s.with(-1, Dim.fixed(8))).hasToString("[tokens+1, 8]");
    }

    @Test
    void elementCountsDoNotWrapAround() {
        assertThat(Shape.elements()).isEqualTo(1);
        assertThat(Shape.elements(0, Long.MAX_VALUE)).isZero();
        assertThatThrownBy(() -> Shape.elements(1L << 32, 1L << 32))
                .isInstanceOf(ShapeException.class)
                .hasMessageContaining("63 bits");
        assertThatThrownBy(() -> TensorType.of(DType.F32, 1L << 62).maxDataBytes())
                .isInstanceOf(DTypeException.class)
                .hasMessageContaining("63 bits");
    }

    @Test
    void fourBitElementsFillWholeBytes() {
        assertThat(TensorType.of(DType.F4_E2M1, 3, 64).maxDataBytes()).isEqualTo(96);
        assertThatThrownBy(() -> TensorType.of(DType.F4_E2M1, 3, 5).maxDataBytes())
                .isInstanceOf(DTypeException.class);
    }

    @ParameterizedTest
    @CsvSource({"128,128,1", "129,128,2", "129,129,4", "1,1,1", "0,128,0"})
    void scalesCoverPartialBlocks(long rows, long columns, long scales) {
        assertThat(TensorType.of(DType.F8_E4M3, rows, columns)
                        .scaled(Scaling.FP8_BLOCK_128)
                        .maxScaleBytes())
                .isEqualTo(scales);
    }

    @Test
    void scalesBelongToNarrowFloats() {
        assertThatThrownBy(() -> TensorType.of(DType.BF16, 4, 4).scaled(Scaling.MXFP4))
                .isInstanceOf(DTypeException.class)
                .hasMessageContainingAll("1x32", "BF16");
        assertThatThrownBy(() -> TensorType.of(DType.I8, 4, 4).scaled(Scaling.MXFP4))
                .isInstanceOf(DTypeException.class);
        assertThatThrownBy(() -> new Scaling(0, 32)).isInstanceOf(ShapeException.class);
    }
}

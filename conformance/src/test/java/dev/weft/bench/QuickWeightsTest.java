package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class QuickWeightsTest {
    @Test
    void valuesHaveTheirDeviation() {
        TensorType type = TensorType.of(DType.F32, 300, 400);
        try (QuickWeights random = new QuickWeights(7)) {
            float[] values = random.weight("w", type).parts().getFirst().data().toArray(ValueLayout.JAVA_FLOAT);
            double squares = 0;
            for (float v : values) {
                squares += (double) v * v;
            }
            assertThat(squares / values.length).isCloseTo(1 / 400.0, within(0.05 / 400));
        }
    }

    @Test
    void expertsAreDistinctPartsOfTheRightSizes() {
        TensorType type = new TensorType(DType.F4_E2M1, Shape.of(3, 64, 256), Scaling.MXFP4);
        try (QuickWeights random = new QuickWeights(7)) {
            WeightData w = random.weight("ffn.experts.w", type);
            assertThat(w.parts()).hasSize(3);
            for (WeightData.Part p : w.parts()) {
                assertThat(p.data().byteSize()).isEqualTo(64 * 256 / 2);
                assertThat(p.scale().byteSize()).isEqualTo(64 * 256 / 32);
                // 1/16, as 2^(123-127)
                assertThat(p.scale().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 123);
            }
            assertThat(w.parts().get(0).data().mismatch(w.parts().get(1).data()))
                    .isNotEqualTo(-1);
        }
    }

    @Test
    void equalSeedsGiveEqualWeights() {
        TensorType type = TensorType.of(DType.BF16, 16, 128);
        try (QuickWeights a = new QuickWeights(3);
                QuickWeights b = new QuickWeights(3)) {
            assertThat(a.weight("w", type)
                            .parts()
                            .getFirst()
                            .data()
                            .mismatch(b.weight("w", type).parts().getFirst().data()))
                    .isEqualTo(-1);
        }
    }
}

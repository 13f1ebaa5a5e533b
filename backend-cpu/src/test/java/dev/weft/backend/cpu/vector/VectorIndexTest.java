package dev.weft.backend.cpu.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

class VectorIndexTest {
    @Test
    void higherScoresRankFirstAndNaNLast() {
        assumeTrue(ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent(), "no Vector API in this JVM");
        float[] falling = {
            Float.POSITIVE_INFINITY, 3f, Float.MIN_VALUE, 0f, -Float.MIN_VALUE, -3f, Float.NEGATIVE_INFINITY, Float.NaN
        };
        for (int i = 1; i < falling.length; i++) {
            assertThat(VectorIndex.rank(falling[i]))
                    .as("%s after %s", falling[i], falling[i - 1])
                    .isGreaterThan(VectorIndex.rank(falling[i - 1]));
        }
        assertThat(VectorIndex.rank(-0f)).isEqualTo(VectorIndex.rank(0f));
    }
}

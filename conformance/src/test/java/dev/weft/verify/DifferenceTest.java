package dev.weft.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.conformance.HostTensor;
import dev.weft.op.Tolerance;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class DifferenceTest {
    private static final Tolerance TOLERANCE = new Tolerance(1e-2, 1e-1);

    private static HostTensor tensor(DType dtype, double... values) {
        HostTensor t = HostTensor.of(TensorType.of(dtype, 2, values.length / 2), Arena.ofAuto());
        for (int i = 0; i < values.length; i++) {
            t.set(i, values[i]);
        }
        return t;
    }

    private static Difference of(HostTensor expected, HostTensor found, @Nullable HostTensor before, boolean broken) {
        return Difference.of("y", expected, found, before, TOLERANCE, broken);
    }

    @Test
    void errorsAreThoseOfTheDefinition() {
        Difference d = of(tensor(DType.F32, 3, 4, 0, 0), tensor(DType.F32, 3, 4.5, 0, 0.25), null, false);
        assertThat(d.elements()).isEqualTo(4);
        assertThat(d.differing()).isEqualTo(2);
        assertThat(d.nmse()).isEqualTo((0.25 + 0.0625) / 25);
        assertThat(d.largest()).isEqualTo(new Difference.Spot(0.5, "[0, 1]", 4.5, 4));
        // 0.5 where 0.4 is allowed: the share follows the verdict on the contract, which is passed in
        assertThat(d.share()).isEqualTo(1);
        assertThat(of(tensor(DType.F32, 3, 4), tensor(DType.F32, 3, 4.5), null, true)
                        .share())
                .isEqualTo(0.5 / (0.1 * 4));
    }

    @Test
    void anUlpIsTheNextNumberAcrossZeroToo() {
        float next = Math.nextUp(1f);
        assertThat(of(tensor(DType.F32, 1, 1), tensor(DType.F32, 1, next), null, false)
                        .ulps())
                .hasValue(new Difference.Spot(1, "[1, 0]", next, 1));
        Difference zero =
                of(tensor(DType.F32, Float.MIN_VALUE, 1), tensor(DType.F32, -Float.MIN_VALUE, 1), null, false);
        assertThat(zero.ulps().orElseThrow().amount()).isEqualTo(2);
        assertThat(of(tensor(DType.BF16, 1, 2), tensor(DType.BF16, 1, 2.03125), null, false)
                        .ulps()
                        .orElseThrow()
                        .amount())
                .isEqualTo(2);
        assertThat(of(tensor(DType.I32, 1, 2), tensor(DType.I32, 1, 3), null, false)
                        .ulps())
                .isEmpty();
    }

    @Test
    void nanInTheSamePlaceIsNoDifferenceAndElsewhereInfinite() {
        HostTensor expected = tensor(DType.F32, 1, Double.NaN);
        assertThat(of(expected, expected.copy(Arena.ofAuto()), null, false).differing())
                .isZero();
        Difference lost = of(expected, tensor(DType.F32, 1, 0), null, true);
        assertThat(lost.largest().amount()).isInfinite();
        assertThat(lost.largest().at()).isEqualTo("[1, 0]");
        assertThat(lost.share()).isInfinite();
    }

    @Test
    void ofAStateOnlyWhatChangedCountsForTheNorm() {
        HostTensor before = tensor(DType.F32, 100, 100, 0, 0);
        Difference d = of(tensor(DType.F32, 100, 100, 1, 1), tensor(DType.F32, 100, 100, 1, 1.01f), before, false);
        assertThat(d.nmse()).isBetween(0.9e-4 / 2, 1.1e-4 / 2);
    }
}

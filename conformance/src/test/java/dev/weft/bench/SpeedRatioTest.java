package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.RequestException;
import dev.weft.bench.SpeedRatio.Verdict;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpeedRatioTest {
    /** Critical values as printed in statistical tables, and the Cauchy distribution, whose form is closed. */
    @ParameterizedTest
    @CsvSource({
        "0.05, 1, 12.706",
        "0.05, 4, 2.776",
        "0.01, 4, 4.604",
        "0.05, 10, 2.228",
        "0.001, 10, 4.587",
        "0.05, 30, 2.042",
        "0.10, 120, 1.658",
        "0.5, 1, 1.000"
    })
    void criticalValuesAreThoseOfTheTables(double p, double freedom, double t) {
        assertThat(StudentT.critical(p, freedom)).isCloseTo(t, within(5e-4));
        assertThat(StudentT.twoSided(StudentT.critical(p, freedom), freedom)).isCloseTo(p, within(1e-9));
    }

    @Test
    void oneDegreeOfFreedomIsCauchy() {
        for (double t : new double[] {0, 0.1, 1, 3, 50, 1e4}) {
            assertThat(StudentT.twoSided(t, 1)).isCloseTo(1 - 2 / Math.PI * Math.atan(t), within(1e-12));
        }
    }

    /** Two samples of 15 whose Welch test is worked out in print: t = -2.46 with 25.0 degrees of freedom, p = 0.021. */
    @Test
    void aWorkedExampleComesOut() {
        double[] a = {27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
        double[] b = {27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4};
        // the test works on logarithms: given exponentials it works on the numbers themselves
        SpeedRatio r = SpeedRatio.of(exponentials(a), exponentials(b), 0.95);
        assertThat(r.p()).isCloseTo(0.021, within(5e-4));
        assertThat(Math.log(r.ratio())).isCloseTo(Sample.mean(a) - Sample.mean(b), within(1e-9));
        assertThat(r.verdict()).isEqualTo(Verdict.SLOWER);
        assertThat(SpeedRatio.of(exponentials(a), exponentials(b), 0.99).verdict())
                .isEqualTo(Verdict.SAME);
    }

    @Test
    void theIntervalEndsWhereTheVerdictChanges() {
        double[] a = {1.00, 1.02, 0.99, 1.01};
        double[] b = {0.50, 0.52, 0.49, 0.51};
        SpeedRatio r = SpeedRatio.of(a, b, 0.95);
        assertThat(r.ratio()).isBetween(1.9, 2.1);
        assertThat(r.verdict()).isEqualTo(Verdict.FASTER);
        SpeedRatio edge = SpeedRatio.of(a, b, 1 - r.p());
        assertThat(edge.low()).isCloseTo(1, within(1e-6));
        SpeedRatio back = SpeedRatio.of(b, a, 0.95);
        assertThat(back.verdict()).isEqualTo(Verdict.SLOWER);
        assertThat(back.low()).isCloseTo(1 / r.high(), within(1e-9));
        assertThat(back.slowdownPercent()).isCloseTo((r.ratio() - 1) * 100, within(1e-6));
    }

    @Test
    void timesWithoutSpreadDifferOrNot() {
        assertThat(SpeedRatio.of(new double[] {2, 2}, new double[] {2, 2}, 0.95).p())
                .isOne();
        assertThat(SpeedRatio.of(new double[] {2, 2}, new double[] {1, 1}, 0.95).verdict())
                .isEqualTo(Verdict.FASTER);
    }

    @Test
    void tooLittleIsRefused() {
        assertThatThrownBy(() -> SpeedRatio.of(new double[] {1}, new double[] {1, 2}, 0.95))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("1 times of the first");
        assertThatThrownBy(() -> SpeedRatio.of(new double[] {1, 2}, new double[] {0, 2}, 0.95))
                .hasMessageContaining("of the second");
    }

    private static double[] exponentials(double... values) {
        return Arrays.stream(values).map(Math::exp).toArray();
    }
}

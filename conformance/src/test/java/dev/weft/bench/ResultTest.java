package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.bench.Ceilings.Rates;
import dev.weft.spi.HardwareLimit;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Arithmetic of reports, on times that are given. */
class ResultTest {
    private static final double EXACT = 1e-12;

    @Test
    void quantilesLieBetweenNeighbours() {
        assertThat(Quantile.median(3, 1, 2)).isEqualTo(2);
        assertThat(Quantile.median(4, 1, 2, 3)).isEqualTo(2.5);
        assertThat(Quantile.p10(11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)).isEqualTo(2);
        assertThat(Quantile.p10(7)).isEqualTo(7);
    }

    @Test
    void theGreaterOfMovingAndComputingIsTheLeastTime() {
        Work work = new Work(100, 1000, HardwareLimit.BF16_DOT);
        assertThat(new Rates(10, 1000).seconds(work)).isEqualTo(10);
        assertThat(new Rates(1000, 10).seconds(work)).isEqualTo(100);
        assertThat(new Rates(10, Double.POSITIVE_INFINITY).seconds(work)).isEqualTo(10);
    }

    @Test
    void sharesAreFormedRoundByRound() {
        Work work = new Work(100, 0, HardwareLimit.BF16_DOT);
        // the machine was half as fast in the second round, and so was the work
        Result.Limit limit = Result.limit(
                work, new double[] {20, 40, 40}, HardwareLimit.BF16_DOT, "test", new Rates(10, 1), new Rates(5, 1), new
                        Rates(10, 1));
        assertThat(limit.shares()).containsExactly(new double[] {0.5, 0.5, 0.25}, within(EXACT));
        assertThat(limit.share()).isEqualTo(0.5, within(EXACT));
        assertThat(limit.kind()).isEqualTo(HardwareLimit.READ);
        assertThat(limit.value()).isEqualTo(10);
    }

    @Test
    void theLimitIsTheOneThatBindsInTheMiddle() {
        Work work = new Work(1, 100, HardwareLimit.BF16_DOT);
        Result.Limit limit = Result.limit(work, new double[] {2}, HardwareLimit.F32_FMA, "test", new Rates(1, 50));
        assertThat(limit.kind()).isEqualTo(HardwareLimit.F32_FMA);
        assertThat(limit.value()).isEqualTo(50);
        assertThat(limit.share()).isEqualTo(1);
        Result result = new Result("x", work, new double[] {2}, Optional.of(limit));
        assertThat(result.flopsPerSecond()).isEqualTo(50);
        assertThat(result.bytesPerSecond()).isEqualTo(0.5);
    }
}

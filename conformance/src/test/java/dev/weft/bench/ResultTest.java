package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.bench.Ceilings.Rates;
import dev.weft.spi.HardwareLimit;
import java.util.List;
import java.util.Map;
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
        assertThat(rates(10, 1000).seconds(work)).isEqualTo(10);
        assertThat(rates(1000, 10).seconds(work)).isEqualTo(100);
        assertThat(new Rates(Map.of(HardwareLimit.READ, 10.0)).seconds(work)).isEqualTo(10);
    }

    @Test
    void sharesAreFormedRoundByRound() {
        Work work = new Work(100, 0, HardwareLimit.BF16_DOT);
        // the machine was half as fast in the second round, and so was the work
        List<Rates> rates = List.of(rates(10, 1), rates(5, 1), rates(10, 1));
        Result result = new Series(new double[] {20, 40, 40}, rates, "test").result("x", work);
        Result.Limit limit = result.limit().orElseThrow();
        assertThat(limit.shares()).containsExactly(new double[] {0.5, 0.5, 0.25}, within(EXACT));
        assertThat(limit.share()).isEqualTo(0.5, within(EXACT));
        assertThat(limit.kind()).isEqualTo(HardwareLimit.READ);
        assertThat(limit.value()).isEqualTo(10);
        assertThat(result.secondsMedian()).isEqualTo(40);
        assertThat(result.bytesPerSecond()).isEqualTo(2.5);
    }

    @Test
    void withoutTheUnitMultiplyAndAddIsTheLimit() {
        Work work = new Work(1, 100, HardwareLimit.BF16_DOT);
        Rates rates = new Rates(Map.of(HardwareLimit.READ, 1.0, HardwareLimit.F32_FMA, 50.0));
        Result.Limit limit = new Series(new double[] {2}, List.of(rates), "test")
                .result("x", work)
                .limit()
                .orElseThrow();
        assertThat(limit.kind()).isEqualTo(HardwareLimit.F32_FMA);
        assertThat(limit.value()).isEqualTo(50);
        assertThat(limit.share()).isEqualTo(1);
    }

    @Test
    void withoutAnyUnitReadingIsTheLimit() {
        Rates onlyRead = new Rates(Map.of(HardwareLimit.READ, 5.0));
        Work work = new Work(10, 1e9, HardwareLimit.F32_FMA);
        Result.Limit limit = new Series(new double[] {4, 4}, List.of(onlyRead, onlyRead), "test")
                .result("x", work)
                .limit()
                .orElseThrow();
        assertThat(limit.kind()).isEqualTo(HardwareLimit.READ);
        assertThat(limit.value()).isEqualTo(5);
        assertThat(limit.share()).isEqualTo(0.5);
    }

    @Test
    void withoutCeilingsThereIsNoLimit() {
        Work work = new Work(1, 100, HardwareLimit.BF16_DOT);
        assertThat(new Series(new double[] {2}, List.of(), "").result("x", work).limit())
                .isEmpty();
    }

    private static Rates rates(double read, double dot) {
        return new Rates(Map.of(HardwareLimit.READ, read, HardwareLimit.BF16_DOT, dot));
    }

    /** A step cannot end before the device is done: a difference below nothing says that the clocks do not tell it. */
    @Test
    void whatTheHostAddsIsTakenRoundByRound() {
        double[] byHost = {5, 9, 4};
        assertThat(LayerBench.beyond(byHost, new double[] {3, 8, 1})).hasValue(2);
        assertThat(LayerBench.beyond(byHost, new double[] {6, 9, 9})).isEmpty();
    }

    @Test
    void aLibrarysFp8ProductsAreHeldAgainstThatUnit() {
        GemmBench fp8 = new GemmBench(GemmBench.Format.FP8, GemmBench.Format.FP8, 1, 128, 128, 1);
        GemmBench bf16 = new GemmBench(GemmBench.Format.BF16, GemmBench.Format.BF16, 1, 128, 128, 1);
        assertThat(fp8.unit("gemm/cublaslt")).isEqualTo(HardwareLimit.FP8_DOT);
        assertThat(fp8.unit("gemm/fp8")).isEqualTo(HardwareLimit.FP8_DOT);
        assertThat(fp8.unit("gemm/mma")).isEqualTo(HardwareLimit.BF16_DOT);
        assertThat(bf16.unit("gemm/cublaslt")).isEqualTo(HardwareLimit.BF16_DOT);
    }
}

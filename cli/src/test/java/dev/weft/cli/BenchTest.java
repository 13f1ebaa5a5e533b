package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What benchmarks report; how fast anything was is no test. */
class BenchTest {
    private static final List<Object> SMALL_GEMM = List.of(
            "bench", "gemm", "--k", 256, "--n", 64, "--weight-bytes", 40000, "--rounds", 3, "--threads", 2);

    @ParameterizedTest
    @ValueSource(strings = {"mxfp4", "fp8", "bf16", "f32"})
    void gemmReportsItsWork(String weights) {
        Run run = run(SMALL_GEMM, "--weights", weights, "--m", 3, "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode root = run.json();
        assertThat(root.path("benchmark").asString()).isEqualTo("gemm");
        assertThat(root.path("tier").asString()).isEqualTo("hardware");
        assertThat(root.path("rounds").asInt()).isEqualTo(3);
        assertThat(root.path("threads").asInt()).isEqualTo(2);
        assertThat(root.path("level").asString()).isNotEmpty();
        JsonNode result = root.path("results").path(0);
        assertThat(result.path("weights").asString()).isEqualTo(weights);
        assertThat(result.path("m").asInt()).isEqualTo(3);
        long copies = result.path("copies").asLong();
        assertThat(result.path("flops").asLong()).isEqualTo(copies * 2 * 3 * 256 * 64);
        assertThat(result.path("bytes").asLong()).isGreaterThanOrEqualTo(40000);
        requireConsistent(result);
    }

    @Test
    void javaKernelsAreMeasuredToo() {
        JsonNode root = run(SMALL_GEMM, "--device", "cpu:0/scalar", "--json").json();
        assertThat(root.path("tier").asString()).isEqualTo("reference");
        assertThat(root.path("threads").asInt()).isOne();
        requireConsistent(root.path("results").path(0));
    }

    @Test
    void peopleGetATable() {
        Run run = run(SMALL_GEMM);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("gemm on cpu:0", "3 rounds", "ofLimit", "GB/s");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bench                             | a form of bench is missing",
                "bench conv                        | no command 'conv', expected one of gemm",
                "bench gemm --weights int2         | --weights: found 'int2', expected one of mxfp4",
                "bench gemm --activations mxfp4    | --activations: found 'mxfp4', expected one of fp8",
                "bench gemm --m 0                  | --m: found 0",
                "bench gemm --k 33                 | --k: found 33, expected a multiple of 32",
                "bench gemm --n -1                 | --n: found -1",
                "bench gemm --rounds 0             | --rounds: found 0",
                "bench gemm --threads -1           | --threads: found -1",
                "bench gemm --m many               | 'many' is not an int",
            })
    void badArgumentsAreUsageErrors(String line, String message) {
        Run run = Run.of((Object[]) line.strip().split(" +"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("weft: ").contains(message);
    }

    @Test
    void anUnknownDeviceFails() {
        Run run = run(SMALL_GEMM, "--device", "tpu:0");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("device tpu:0: no such backend");
    }

    /** Numbers are there, finite, and say the same as each other. */
    static void requireConsistent(JsonNode result) {
        double median = positive(result.path("seconds").path("median"));
        double p10 = positive(result.path("seconds").path("p10"));
        assertThat(p10).isLessThanOrEqualTo(median);
        double bytes = result.path("bytes").asDouble();
        double flops = result.path("flops").asDouble();
        assertThat(result.path("gbps").asDouble()).isCloseTo(bytes / median / 1e9, within(1e-6 * bytes / median / 1e9));
        assertThat(result.path("gflops").asDouble())
                .isCloseTo(flops / median / 1e9, within(1e-6 * flops / median / 1e9));
        if (result.path("limit").isNull()) {
            assertThat(result.path("ofLimit").isNull()).isTrue();
            return;
        }
        JsonNode limit = result.path("limit");
        positive(limit.path("value"));
        assertThat(limit.path("kind").asString()).isIn("read", "f32Fma", "bf16Dot", "int8Dot");
        assertThat(limit.path("unit").asString()).isEqualTo(limit.path("kind").asString().equals("read") ? "B/s" : "op/s");
        assertThat(positive(result.path("ofLimitP10"))).isLessThanOrEqualTo(positive(result.path("ofLimit")));
    }

    private static double positive(JsonNode number) {
        assertThat(number.isNumber()).isTrue();
        assertThat(number.asDouble()).isFinite().isPositive();
        return number.asDouble();
    }

    private static Run run(List<Object> first, Object... more) {
        var all = new java.util.ArrayList<>(first);
        all.addAll(List.of(more));
        return Run.of(all.toArray());
    }
}

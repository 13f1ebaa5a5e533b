package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import tools.jackson.databind.JsonNode;

/** What holds for the numbers of every result. */
final class BenchNumbers {
    private BenchNumbers() {}

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
        assertThat(limit.path("unit").asString())
                .isEqualTo(limit.path("kind").asString().equals("read") ? "B/s" : "op/s");
        assertThat(positive(result.path("ofLimitP10"))).isLessThanOrEqualTo(positive(result.path("ofLimit")));
    }

    /** The value of a number, which must be finite and positive. */
    static double positive(JsonNode number) {
        assertThat(number.isNumber()).isTrue();
        assertThat(number.asDouble()).isFinite().isPositive();
        return number.asDouble();
    }
}

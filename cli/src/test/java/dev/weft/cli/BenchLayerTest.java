package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Layers, operators and models as measured; how fast anything was is no test. */
class BenchLayerTest {
    @ParameterizedTest
    @CsvSource({"window, 0, 1", "csa, 300, 3", "hca, 300, 1"})
    void layersAndTheirNodesAreMeasured(String kind, int context, int tokens) {
        Run run = Run.of(
                "bench",
                "layer",
                "--model",
                "tiny",
                "--kind",
                kind,
                "--context",
                context,
                "--tokens",
                tokens,
                "--ops",
                "--rounds",
                2,
                "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode results = run.json().path("results");
        results.forEach(BenchNumbers::requireConsistent);
        assertThat(results.path(0).path("work").asString()).isEqualTo("layer " + kind);
        List<String> ops = new ArrayList<>();
        results.forEach(r -> ops.add(r.path("op").asString("")));
        assertThat(ops).contains("sparseAttention", "expertGemm", "hyperPost");
        assertThat(ops.contains("lightningIndex")).isEqualTo(kind.equals("csa"));
        double nodes = 0;
        for (int i = 1; i < results.size(); i++) {
            nodes += results.path(i).path("flops").asDouble();
        }
        assertThat(results.path(0).path("flops").asDouble()).isCloseTo(nodes, within(results.size() * 1.0));
    }

    /** The floors of nodes one after another cannot be less than one floor of all of them. */
    @Test
    void layersOneAfterAnotherAreHeldAgainstTheSumOfFloors() {
        Object[] line = "bench layer --model tiny --kind window,csa,hca,csa --batch 1,3 --rounds 2 --json".split(" ");
        Run run = Run.of(line);
        assertThat(run.err()).isEmpty();
        JsonNode results = run.json().path("results");
        assertThat(results).hasSize(2);
        for (JsonNode r : results) {
            BenchNumbers.requireConsistent(r);
            assertThat(r.path("work").asString()).isEqualTo("layer window,csa,hca,csa");
            double floors = BenchNumbers.positive(r.path("floorSeconds"));
            double median = r.path("seconds").path("median").asDouble();
            assertThat(r.path("timesFloor").asDouble()).isCloseTo(median / floors, within(1e-9 * median / floors));
            double read = BenchNumbers.positive(r.path("ceilings").path("read"));
            assertThat(floors * (1 + 1e-9))
                    .isGreaterThanOrEqualTo(r.path("bytes").asDouble() / read);
            assertThat(r.has("hostSeconds")).isFalse(); // the host's clock takes the times
        }
        assertThat(results.path(0).path("batch").asInt()).isOne();
        assertThat(results.path(1).path("batch").asInt()).isEqualTo(3);
        assertThat(results.path(1).path("flops").asLong())
                .isEqualTo(3 * results.path(0).path("flops").asLong());
    }

    /** Native kernels of experts compute their activation as well; the others launch it by itself. */
    @Test
    void anOperatorThatAnotherComputesIsNoResult() {
        Run run = Run.of("bench", "op", "swiGlu", "--model", "tiny", "--rounds", 2);
        if (!PlanTest.hasNativeKernels()) {
            assertThat(run.code()).as(run.err()).isZero();
            assertThat(run.out()).contains("swiGlu");
            return;
        }
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .contains("NAME: found swiGlu, which on cpu:0 is computed by the kernel of another operator");
    }

    @Test
    void anOperatorIsMeasuredInEveryLayerWhereItDiffers() {
        JsonNode root = Run.of("bench", "op", "SPARSEattention", "--model", "tiny", "--rounds", 2, "--m", 2, "--json")
                .json();
        List<String> kinds = new ArrayList<>();
        root.path("results").forEach(r -> {
            BenchNumbers.requireConsistent(r);
            assertThat(r.path("op").asString()).isEqualTo("sparseAttention");
            kinds.add(r.path("kind").asString());
        });
        assertThat(kinds).containsExactly("csa", "hca", "window");
    }

    @Test
    void modelsAreMeasuredInTokens() {
        JsonNode root = Run.of(
                        "bench",
                        "model",
                        DemoModel.locate(null),
                        "--prompt",
                        9,
                        "--generate",
                        3,
                        "--batch",
                        2,
                        "--rounds",
                        2,
                        "--json")
                .json();
        JsonNode results = root.path("results");
        assertThat(results).hasSize(2);
        results.forEach(BenchNumbers::requireConsistent);
        for (int i = 0; i < 2; i++) {
            JsonNode r = results.path(i);
            assertThat(r.path("tokens").asInt()).isEqualTo(i == 0 ? 18 : 6);
            double rate =
                    r.path("tokens").asInt() / r.path("seconds").path("median").asDouble();
            assertThat(r.path("tokensPerSecond").asDouble()).isCloseTo(rate, within(1e-6 * rate));
        }
    }
}
